//! What is asked of a run from outside.
use crate::checkpoint::Requests;
use crate::simulation::{Observer, Run, Wishes};

impl Observer for Requests {
    fn wishes(&mut self, _: &Run) -> Wishes {
        Wishes { stop: self.stop(), output: self.output(), ..Wishes::default() }
    }
}
