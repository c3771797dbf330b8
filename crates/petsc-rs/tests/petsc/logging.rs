//! Stages and events.
use crate::Test;
use mpi::topology::SimpleCommunicator;
use petsc_rs::log::{Event, Stage};

pub const TESTS: &[Test] = &[("stages_and_events", stages_and_events)];

fn stages_and_events(_comm: &SimpleCommunicator) {
    petsc_rs::log::begin().unwrap();
    let (stage, event) = (Stage::new("a stage").unwrap(), Event::new("an event").unwrap());
    // The same names are the same things.
    let again = Event::new("an event").unwrap();
    drop(Stage::new("a stage").unwrap());
    {
        let _stage = stage.enter().unwrap();
        for event in [&event, &again, &event] {
            let _timer = event.start().unwrap();
            petsc_rs::log::flops(100.0).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    let _timer = event.start().unwrap();
    drop(_timer);
    let inside = event.performance(Some(&stage)).unwrap();
    assert_eq!((inside.count, inside.flops), (3, 300.0));
    assert!(inside.seconds >= 0.006);
    assert_eq!(event.performance(None).unwrap().count, 1);
}
