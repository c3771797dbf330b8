//! Signals that ask for a checkpoint.
use crate::{Error, Result};
use signal_hook::consts::{SIGTERM, SIGUSR1};
use signal_hook::flag::register;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches for SIGUSR1 (batch systems send it before the time limit) and SIGTERM (they send it before they kill).
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<AtomicBool>);

impl Signals {
    /// From now on these signals no longer end the process. Local.
    ///
    /// # Errors
    /// [`Error::Failed`] when the system refuses.
    pub fn watch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGUSR1, SIGTERM] {
            register(signal, flag.clone())
                .map_err(|e| Error::Failed(format!("cannot watch for signal {signal}: {e}")))?;
        }
        Ok(Self(flag))
    }

    /// Whether one has come to this process. Local.
    pub fn arrived(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
