//! Coefficients that no material can have: not finite, or of the wrong sign.
use super::coefficient::{Coefficients, Context, Meaning};
use super::problem::{Group, Integral, Place, Problem};
use crate::deck::Reading;
use crate::error::{Diagnostic, Error, Result};
use crate::fem::Values;
use crate::fem::functional::{position, visit};
use tessera_kernels::model::Sign;

impl Problem {
    /// Refuses coefficients (from [`Problem::evaluate`]) that are not finite or have the wrong sign. Those that depend on
    /// the solution are those of the state it was told last, see [`Problem::check_at`]. The fault carries the deck's key,
    /// but no file. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] with the value and its place.
    pub fn check(&self, coefficients: &[Vec<Vec<Values>>]) -> Result<()> {
        self.check_those(coefficients, |_, _| true)
    }

    /// As [`Problem::check`] without those that depend on the solution.
    pub(super) fn check_given(&self, coefficients: &[Vec<Vec<Values>>]) -> Result<()> {
        self.check_those(coefficients, |integral, output| {
            self.own.as_ref().is_none_or(|own| !integral.coefficients.reads(output, own))
        })
    }

    /// Refuses coefficients that depend on the solution and at this one have the wrong sign, and a solution outside of the
    /// tables that are read at it, beyond whose ends they are constant for Newton's method alone. Collective.
    ///
    /// # Errors
    /// As [`Problem::check`].
    pub fn check_at(&self, context: &Context, state: &[f64]) -> Result<()> {
        if !self.depends_on_itself() {
            return Ok(());
        }
        self.set_own(state);
        self.check(&self.evaluate(context))?;
        let outside = self.integrals.iter().find_map(|integral| self.outside(integral, state));
        self.space.mesh.comm.agree(outside.map_or(Ok(()), Err))
    }

    /// The first place where the solution lies outside of a table that is read at it. Local.
    fn outside(&self, integral: &Integral, state: &[f64]) -> Option<Error> {
        let Coefficients { inputs, tables, names, .. } = &integral.coefficients;
        let read = tables.iter().zip(&names[inputs.len()..]);
        let read: Vec<_> = read.filter(|(table, _)| table.reading == Some(Reading::Value)).collect();
        let mut fault = None;
        for group in integral.groups.iter().filter(|_| !read.is_empty()) {
            visit(&self.space, state, &group.domain(), |sample| {
                for (table, name) in &read {
                    let Some(own) = &table.by_region[sample.entity.1 as usize] else { continue };
                    let (first, last) = (own.temperature[0], own.temperature[own.temperature.len() - 1]);
                    let (value, slack) = (sample.value[0], 1e-9 * (last - first));
                    if fault.is_none() && !(first - slack..=last + slack).contains(&value) {
                        let place = self.place_of(group, sample.cell as u32, sample.point);
                        let message = format!(
                            "the solution is {value}{place}, outside of the table, which goes from {first} to {last}"
                        );
                        let key = format!("{}.{name}", integral.key);
                        fault =
                            Some(Error::Input(vec![Diagnostic { key, message, ..Diagnostic::default() }]));
                    }
                }
            });
        }
        fault
    }

    fn check_those(
        &self,
        coefficients: &[Vec<Vec<Values>>],
        wanted: impl Fn(&Integral, usize) -> bool,
    ) -> Result<()> {
        let mut fault = Ok(());
        'all: for (integral, groups) in self.integrals.iter().zip(coefficients) {
            for (group, values) in integral.groups.iter().zip(groups) {
                for (output, values) in values.iter().enumerate().filter(|(o, _)| wanted(integral, *o)) {
                    let Meaning { key, sign, .. } = integral.coefficients.meanings[output];
                    if let Some((value, place)) = self.first_bad(group, values, sign) {
                        // Where properties are tables, what they are read at is to blame.
                        let tables = integral.coefficients.tables.iter().any(|table| table.reading.is_none());
                        let key = if tables && value.is_nan() { "temperature" } else { key };
                        fault = Err(refused(integral, key, sign, value, &place));
                        break 'all;
                    }
                }
                if let Some((tensor, fault_of, place)) = self.bad_tensor(integral, group, values) {
                    let message = format!("the tensor {tensor}{place} is not {fault_of}");
                    let key = format!("{}.conductivity", integral.key);
                    fault = Err(Error::Input(vec![Diagnostic { key, message, ..Diagnostic::default() }]));
                    break 'all;
                }
            }
        }
        self.space.mesh.comm.agree(fault)
    }

    /// As [`Problem::check`] for the coefficients of the bilinear form alone at these parameters. Collective.
    ///
    /// # Errors
    /// As there.
    pub fn check_stiffness(&self, context: &Context) -> Result<()> {
        let of_group = |integral: &Integral, group: &Group| -> Vec<Values> {
            let one = |output: usize| {
                let found = self.bilinear(output, integral.place).then(|| {
                    let (domain, entities) = (group.domain(), integral.entities);
                    let one = output..output + 1;
                    integral.coefficients.evaluate_some(one, context, &self.space, &domain, entities).pop()
                });
                found.flatten().unwrap_or(Values::Uniform(0.0))
            };
            (0..integral.coefficients.outputs.len()).map(one).collect()
        };
        let all: Vec<Vec<_>> = self
            .integrals
            .iter()
            .map(|integral| integral.groups.iter().map(|group| of_group(integral, group)).collect())
            .collect();
        self.check(&all)
    }

    /// The first value that is not allowed, and where it is.
    fn first_bad(&self, group: &Group, values: &Values, allowed: Sign) -> Option<(f64, String)> {
        let uniform =
            |list: &[f64]| list.iter().copied().find(|&v| !allowed.holds(v)).map(|v| (v, String::new()));
        let list = match values {
            Values::Uniform(value) if group.entities.is_empty() || allowed.holds(*value) => return None,
            Values::Uniform(value) => return uniform(&[*value]),
            Values::ByRegion(list) => return uniform(list),
            Values::ByPoint(list) => list,
        };
        let points = group.rule.weights.len();
        for &(cell, index, _) in &group.entities {
            let own = &list[index as usize * points..][..points];
            if let Some(q) = own.iter().position(|&v| !allowed.holds(v)) {
                return Some((own[q], self.place_of(group, cell, q)));
            }
        }
        None
    }

    fn place_of(&self, group: &Group, cell: u32, q: usize) -> String {
        let at = position(&self.space, cell as usize, &group.rule, q);
        let at = at[..self.space.mesh.dimension].iter().map(|x| format!("{x:.6}"));
        let number = self.space.mesh.cell_ids[cell as usize];
        format!(" at ({}) in cell {number}", at.collect::<Vec<_>>().join(", "))
    }

    /// The first conductivity tensor that is not symmetric or not positive definite, what it is not, and where.
    fn bad_tensor(
        &self,
        integral: &Integral,
        group: &Group,
        values: &[Values],
    ) -> Option<(String, &'static str, String)> {
        let d = self.space.mesh.dimension;
        if integral.place != Place::Volume || !self.equation.tensor || d == 1 {
            return None;
        }
        let entries = &values[..d * d];
        // Of a diagonal the signs are known.
        if (0..d * d).all(|e| e.is_multiple_of(d + 1) || entries[e].is_zero()) {
            return None;
        }
        let by_point = entries.iter().any(|values| matches!(values, Values::ByPoint(_)));
        let points = if by_point { group.rule.weights.len() } else { 1 };
        let mut tensor = [[0.0; 3]; 3];
        let mut last = None;
        for &(cell, index, region) in &group.entities {
            if !by_point && last == Some(region) {
                continue;
            }
            last = Some(region);
            for q in 0..points {
                for (e, values) in entries.iter().enumerate() {
                    tensor[e / d][e % d] = match values {
                        Values::Uniform(value) => *value,
                        Values::ByRegion(list) => list[region as usize],
                        Values::ByPoint(list) => list[index as usize * points + q],
                    };
                }
                if let Some(fault) = fault_of(&tensor, d) {
                    let rows = tensor[..d].iter().map(|row| format!("{:?}", &row[..d])).collect::<Vec<_>>();
                    return Some((format!("[{}]", rows.join(", ")), fault, self.place_of(group, cell, q)));
                }
            }
        }
        None
    }
}

/// What a tensor is not, of symmetric and positive definite: then its Cholesky pivots are positive.
fn fault_of(tensor: &[[f64; 3]; 3], d: usize) -> Option<&'static str> {
    // Roundings of two formulas for one number.
    const SYMMETRIC: f64 = 1e-10;
    let mut a = *tensor;
    let size = (0..d).map(|i| a[i][i].abs()).fold(0.0, f64::max);
    if (0..d).any(|i| (0..i).any(|j| (a[i][j] - a[j][i]).abs() > SYMMETRIC * size)) {
        return Some("symmetric");
    }
    for k in 0..d {
        if a[k][k] <= 0.0 {
            return Some("positive definite");
        }
        for i in k + 1..d {
            let factor = a[i][k] / a[k][k];
            for j in k..d {
                a[i][j] -= factor * a[k][j];
            }
        }
    }
    None
}

fn refused(integral: &Integral, name: &str, allowed: Sign, value: f64, place: &str) -> Error {
    Error::Input(vec![Diagnostic {
        key: format!("{}.{name}", integral.key),
        message: match value.is_nan() {
            true => format!(
                "expected {}, found NaN{place}: an expression without a value, or a temperature outside a table",
                allowed.words()
            ),
            false => format!("expected {}, found {value}{place}", allowed.words()),
        },
        ..Diagnostic::default()
    }])
}
