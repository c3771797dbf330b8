//! What is asked of a run from outside: by signals, and by files in the folder of its output.
use crate::checkpoint::{ControlFile, Signals};
use crate::simulation::{Observer, Run, Simulation, Wishes};

/// Watches signals on every rank, and the files `stop` and `output_now` on the first.
pub(super) struct Requests {
    signals: Signals,
    files: Option<[ControlFile; 2]>,
}

impl Requests {
    pub fn new(simulation: &Simulation, signals: Signals) -> Self {
        let folder = &simulation.deck.output.directory;
        let files = || ["stop", "output_now"].map(|name| ControlFile::new(folder, name));
        Self { signals, files: (simulation.mesh.comm.rank() == 0).then(files) }
    }
}

impl Observer for Requests {
    fn wishes(&mut self, _: &Run) -> Wishes {
        let [stop, output] =
            self.files.as_mut().map_or([false; 2], |files| files.each_mut().map(ControlFile::came));
        Wishes { stop: stop || self.signals.arrived(), output, ..Wishes::default() }
    }
}
