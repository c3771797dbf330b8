//! Signals that ask for a checkpoint.
use crate::{Error, Result};
use signal_hook::consts::{SIGTERM, SIGUSR1};
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::low_level::emulate_default_handler;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches for SIGUSR1 (batch systems send it before the time limit) and SIGTERM (they send it before they kill).
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
        for signal in [SIGUSR1, SIGTERM] {
            register_conditional_default(signal, signals.released.clone())
                .and_then(|_| register(signal, signals.arrived.clone()))
                .map_err(|e| Error::Failed(format!("cannot watch for signal {signal}: {e}")))?;
        }
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
