//! Functions in space and time of windows of steps.
use crate::fem::Space;
use crate::mixture::Columns;
use crate::mixture::bases::Bases;
use crate::physics::Problem;
use crate::storage::ModelFile;
use crate::{Error, Result};
use std::path::Path;

/// Times are the same to this part of the whole.
const SAME: f64 = 1e-9;

/// The functions of a window.
struct WindowBasis {
    /// The steps, from 1 on.
    first: usize,
    last: usize,
    /// `[step, owned unknown]` each.
    functions: Columns,
}

/// The functions of all windows of a run of one problem.
#[derive(Default)]
pub(super) struct WindowBases(Vec<WindowBasis>);

impl WindowBases {
    /// Those of a file, of so many windows of the steps between `times`: the mean of the snapshots, which counts as a function,
    /// and at most `modes` modes of each. With their numbers in words. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the file has none, or other windows or times.
    pub fn read(
        problem: &Problem,
        path: &Path,
        (modes, windows): (usize, usize),
        times: &[f64],
    ) -> Result<(Self, Vec<String>)> {
        let space = &problem.space;
        let file = ModelFile::open(&space.mesh.comm, path)?;
        let fault = |text: String| Error::input(file.label(), text);
        let there = Bases::windows(&file, &problem.field);
        if there != windows {
            let text = format!(
                "it has functions of \"{}\" over {there} windows of steps; constraint.windows is {windows} (rom.windows of \
                 the training is to be the same)",
                problem.field
            );
            return Err(fault(text));
        }
        let (mut list, mut words) = (Vec::new(), Vec::new());
        let mut first = 1;
        for window in 0..windows {
            let basis = Bases::read(&file, (&problem.field, Some(window)), space, None)?;
            let steps = basis.steps() - 1;
            let wanted = times.get(first - 1..first + steps);
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= SAME * (times[times.len() - 1] - times[0]);
            if !wanted.is_some_and(|wanted| wanted.iter().zip(&basis.times).all(close)) {
                let text = format!(
                    "its window {window} has {steps} steps from {:.6e} to {:.6e} s, which are not those of the predictions' \
                     frames",
                    basis.times[0], basis.times[steps]
                );
                return Err(fault(text));
            }
            let functions = of_steps(&basis, modes, space);
            words.push(format!("{} of steps {first} to {}", functions.count(), first + steps - 1));
            list.push(WindowBasis { first, last: first + steps - 1, functions });
            first += steps;
        }
        if first != times.len() {
            let text = format!("its windows have {} steps, the predictions {}", first - 1, times.len() - 1);
            return Err(fault(text));
        }
        file.close()?;
        Ok((Self(list), words))
    }

    /// Number of the window that a step is in, and its last step.
    pub fn of_step(&self, step: usize) -> (usize, usize) {
        let window = self.0.iter().position(|window| step <= window.last).expect("a step of a window");
        (window, self.0[window].last)
    }

    /// The functions of a window at so many of its steps, from the number `first` on.
    pub fn functions(&self, window: usize, first: usize, count: usize) -> Columns {
        let WindowBasis { first: start, last, functions } = &self.0[window];
        let owned = functions.rows() / (last + 1 - start);
        let from = (first - start) * owned;
        let mut of_steps = Columns::new(&functions.comm, count * owned);
        functions.iter().for_each(|column| of_steps.push(&column[from..][..count * owned]));
        of_steps
    }
}

/// The mean and the modes behind the first moment of a window, zero where values are prescribed.
fn of_steps(basis: &Bases, modes: usize, space: &Space) -> Columns {
    let owned = space.owned_dofs();
    let mut functions = Columns::new(&space.mesh.comm, basis.lifting.len() - owned);
    let mut mean = basis.lifting[owned..].to_vec();
    let fixed = basis.essential.iter().cycle();
    mean.iter_mut().zip(fixed).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
    functions.push(&mean);
    basis.global.modes.iter().take(modes).for_each(|mode| functions.push(&mode[owned..]));
    functions
}
