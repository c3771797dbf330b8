//! Signals that ask for a checkpoint.
use crate::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag::{register, register_conditional_default, register_conditional_shutdown};
use signal_hook::low_level::emulate_default_handler;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process that SIGINT ends.
const INTERRUPTED: i32 = 128 + SIGINT;

/// Watches for SIGUSR1 (batch systems send it before the time limit), SIGTERM (they send it before they kill) and SIGINT
/// (Ctrl-C), whose second ends the process at once.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    arrived: Arc<AtomicBool>,
    released: Arc<AtomicBool>,
}

impl Signals {
    /// From now on these signals no longer end the process: called first of all, so that one that comes while MPI
    /// starts is not lost. Local.
    ///
    /// # Errors
    /// [`Error::Failed`] when the system refuses.
    pub fn watch() -> Result<Self> {
        let signals = Self::default();
        let refused = |e: std::io::Error| Error::Failed(format!("cannot watch for signals: {e}"));
        for signal in [SIGUSR1, SIGTERM, SIGINT] {
            register_conditional_default(signal, signals.released.clone())
                .and_then(|_| register(signal, signals.arrived.clone()))
                .map_err(refused)?;
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        // In this order: the first finds the flag not yet raised.
        register_conditional_shutdown(SIGINT, INTERRUPTED, interrupted.clone())
            .and_then(|_| register(SIGINT, interrupted))
            .map_err(refused)?;
        Ok(signals)
    }

    /// From now on they end the process again, as does one that has come already: for a run without checkpoints. Local.
    pub fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
        if self.arrived() {
            let _ = emulate_default_handler(SIGTERM);
        }
    }

    /// Whether one has come to this process. Local.
    pub fn arrived(&self) -> bool {
        self.arrived.load(Ordering::Relaxed)
    }
}
