//! Windows from equations: one, or those of many steps.
use super::regions::Regions;
use super::window::{Piece, Row, State, Window, sizes};
use crate::experts::constraint::Constraint;
use crate::experts::equations::Equations;
use crate::experts::port_condition::PortCondition;
use crate::experts::residual::rows::{check, lumped_mass, weights};
use crate::{Error, Result};
use petsc_rs::Vector;

impl Constraint {
    /// The experts' rows of equations with a prediction that has the essential values.
    pub(super) fn window<'a>(
        &self,
        equations: &Equations<'a>,
        condition: PortCondition,
        start: &Vector,
    ) -> Result<Window<'a>> {
        let Some((prepared, at)) = equations.prepared() else {
            let text = "ports are for problems, not for matrices";
            return Err(Error::Failed(format!("{}: {text}", self.name)));
        };
        let offset = equations.offset().map_or(Ok(Vec::new()), |o| Ok::<_, Error>(o.read()?.to_vec()))?;
        if condition != PortCondition::Strong && !offset.is_empty() {
            let text = "constraint.ports: in time expected \"strong\": what is stored where experts do not agree is not \
                        known in the next step";
            return Err(Error::input("constraint.ports", format!("{}: {text}", self.name)));
        }
        let states = vec![State {
            start: start.local_read()?.to_vec(),
            phi: self.basis.values(&equations.essential.fixed)?,
        }];
        let pieces = vec![Piece { state: 0, prepared, history: at.history, parts: at.parts }];
        let equations = vec![Row { terms: vec![(0, 1.0)], offset, duration: 1.0 }];
        self.window_of(
            condition,
            [self.basis.functions(), self.basis.columns.count()],
            (states, pieces, equations),
        )
    }

    /// The experts' rows of equations, with so many functions, of which the last `columns` were given. Collective.
    pub(super) fn window_of<'a>(
        &self,
        condition: PortCondition,
        [functions, columns]: [usize; 2],
        (states, pieces, equations): (Vec<State>, Vec<Piece<'a>>, Vec<Row>),
    ) -> Result<Window<'a>> {
        let prepared = pieces[0].prepared;
        let fixed = &prepared.essential.fixed;
        let space = self.basis.fields.clone();
        let (c, options) = (space.components, &self.least_squares);
        check(options, c)?;
        if self.lumped.get().is_none() {
            let _ = self.lumped.set(lumped_mass(&space)?);
        }
        let lumped = self.lumped.get().expect("set above");
        let gating = self.basis.gating.clone();
        // Alone, experts have rows of their own, and their fields are blended.
        let divided = (condition == PortCondition::Open).then(|| gating.divided(&space));
        let both = matches!(condition, PortCondition::Weak(_) | PortCondition::Flux);
        let regions = Regions::new(&space, divided.as_ref().unwrap_or(&gating), both);
        let mut volumes = vec![0.0; regions.shares.experts.len()];
        regions.owner.iter().zip(lumped).for_each(|(place, volume)| volumes[*place as usize] += volume);
        let weight = |(volume, i): (&f64, usize)| {
            let scale = options.scales.get(i).copied().unwrap_or(1.0);
            options.balances / (volume * scale * scale)
        };
        let volumes = regions.shares.gather(&volumes, 1);
        Ok(Window {
            sizes: sizes(&space.mesh.comm, &states, functions, c),
            linear: prepared.problem().facts().linear && !prepared.problem().depends_on_itself(),
            weights: weights(&space, fixed, options, lumped),
            balances: volumes.iter().flat_map(|v| (0..c).map(move |i| (v, i))).map(weight).collect(),
            balance_weight: options.balances,
            free: fixed[..space.owned_dofs()].iter().map(|fixed| !fixed).collect(),
            functions,
            columns,
            gating,
            space,
            regions,
            states,
            pieces,
            equations,
        })
    }
}
