//! Coefficients and initial values that are formulas in place, parameters and random fields, the same everywhere or by
//! region.
use crate::deck::{COORDINATES, Coefficient, Deck, Expression, InitialValue, Scalar, Tensor};

/// A formula of the deck that becomes an input.
pub(super) struct Formula {
    /// Name of the input.
    pub name: String,
    /// What it is, in words.
    pub meaning: String,
    /// By region of the mesh; only one when it is the same everywhere.
    expressions: Vec<Expression>,
    /// Time at which it counts, s.
    time: f64,
}

/// One that may become an input.
struct Candidate {
    physics: String,
    key: String,
    meaning: String,
    expressions: Vec<Expression>,
}

impl Formula {
    /// Those of a deck that differ from point to point and not in time, entry by entry of a tensor; of coefficients from
    /// a file or another physics there are none. `taken` are the random fields at hand, `regions` those of the mesh of
    /// so many dimensions.
    pub fn all(deck: &Deck, taken: &[String], (regions, dimension): (&[String], usize)) -> Vec<Self> {
        let variables = deck.field_variables();
        let mut found: Vec<Candidate> = Vec::new();
        for physics in &deck.physics {
            for (key, coefficient) in physics.coefficients() {
                let Some(tensors) = by_region(coefficient, regions) else { continue };
                for (suffix, scalars) in entries(&tensors, dimension) {
                    let parsed: Result<Vec<_>, _> = scalars.iter().map(|s| s.parse(&variables)).collect();
                    if let Ok(expressions) = parsed {
                        let (physics, key) = (physics.name(), format!("{key}{suffix}"));
                        let meaning = format!("{key} of {physics}");
                        found.push(Candidate { physics: physics.to_string(), key, meaning, expressions });
                    }
                }
            }
        }
        for initial in &deck.initial {
            if let InitialValue::Formulas(value) = &initial.value
                && let Ok(mut list) = value.parse(&variables)
                && let (Some(expression), true) = (list.pop(), list.is_empty())
                && let Some((physics, field)) = deck.field_of(initial.field.as_deref(), None)
            {
                found.push(Candidate {
                    physics: deck.physics[physics].name().into(),
                    key: format!("initial_{field}"),
                    meaning: format!("{field} at the start"),
                    expressions: vec![expression],
                });
            }
        }
        let random = |parameter: usize| deck.random.get_index(parameter.checked_sub(deck.parameters.len())?);
        found.retain(|candidate| {
            let list = &candidate.expressions;
            let mut fields = list.iter().flat_map(Expression::parameters).filter_map(random).peekable();
            let differs = list.iter().any(|e| e.depends_on_space() || e.text() != list[0].text());
            let varies = differs || fields.peek().is_some();
            let steady = !list.iter().any(Expression::depends_on_time);
            varies && steady && fields.all(|(name, _)| taken.contains(name))
        });
        let clash =
            |key: &String| taken.contains(key) || found.iter().filter(|other| other.key == *key).count() > 1;
        let name = |candidate: &Candidate| match clash(&candidate.key) {
            true => format!("{}_{}", candidate.physics, candidate.key),
            false => candidate.key.clone(),
        };
        let names: Vec<String> = found.iter().map(name).collect();
        let time = deck.time.as_ref().map_or(0.0, |time| time.start);
        let formula = |(name, candidate): (String, Candidate)| {
            let Candidate { meaning, expressions, .. } = candidate;
            let text = match &expressions[..] {
                [only] => only.text().to_string(),
                list => {
                    let named =
                        regions.iter().zip(list).map(|(region, e)| format!("{region} = {}", e.text()));
                    named.collect::<Vec<_>>().join(", ")
                }
            };
            Self { name, meaning: format!("{meaning}: {text}"), expressions, time }
        };
        names.into_iter().zip(found).map(formula).collect()
    }

    /// The values at points for these parameters and values of the random fields at the points, both in the deck's
    /// order; `regions` are those of the points, `None` outside the mesh, where there is no number.
    pub fn evaluate(
        &self,
        points: &[[f64; 3]],
        regions: &[Option<usize>],
        parameters: &[f64],
        random: &[&[f64]],
    ) -> Vec<f64> {
        let mut arguments = vec![0.0; COORDINATES.len()];
        arguments[COORDINATES.len() - 1] = self.time;
        arguments.extend(parameters);
        let first = arguments.len();
        arguments.resize(first + random.len(), 0.0);
        let mut value = |i: usize, region: usize| {
            arguments[..3].copy_from_slice(&points[i]);
            arguments[first..].iter_mut().zip(random).for_each(|(argument, values)| *argument = values[i]);
            self.expressions[region.min(self.expressions.len() - 1)].eval(&arguments)
        };
        (0..points.len()).map(|i| regions[i].map_or(f64::NAN, |region| value(i, region))).collect()
    }
}

/// A coefficient's values by region, one for all where it is the same everywhere; `None` when they are no formulas, or
/// one is missing.
fn by_region<'a>(coefficient: &'a Coefficient, regions: &[String]) -> Option<Vec<&'a Tensor>> {
    match coefficient {
        Coefficient::Uniform(tensor) => Some(vec![tensor]),
        Coefficient::Regions(table) => {
            regions.iter().map(|name| table.get(name).or_else(|| table.get("default"))).collect()
        }
        Coefficient::File(_) | Coefficient::Physics(_) => None,
    }
}

/// The entries of a coefficient, each with the ending of its name and its values by region: one without an ending for a
/// scalar, those of the upper triangle for a tensor.
fn entries(tensors: &[&Tensor], dimension: usize) -> Vec<(String, Vec<Scalar>)> {
    let entry = |tensor: &Tensor, i: usize, j: usize| match tensor {
        Tensor::Isotropic(scalar) if i == j => scalar.clone(),
        Tensor::Diagonal(list) if i == j => list[i].clone(),
        Tensor::Full(rows) => rows[i][j].clone(),
        _ => Scalar::Number(0.0),
    };
    let of = |i, j| tensors.iter().map(|tensor| entry(tensor, i, j)).collect();
    if tensors.iter().all(|tensor| matches!(tensor, Tensor::Isotropic(_))) {
        return vec![(String::new(), of(0, 0))];
    }
    let axes = &COORDINATES[..dimension];
    let pairs = (0..dimension).flat_map(|i| (i..dimension).map(move |j| (i, j)));
    pairs.map(|(i, j)| (format!("_{}{}", axes[i], axes[j]), of(i, j))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formulas(physics: &str) -> Vec<Formula> {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"triangle\", cells = [4, 4] }}\n[parameters]\na = 2\n[random.g]\nkind = \"matern\"\n\
             range = 1\n[[physics]]\nmodel = \"diffusion\"\nboundary = [{{ marker = \"left\", value = 0 }}]\n{physics}"
        );
        let deck = Deck::parse(&text, "deck", &[]).unwrap_or_else(|e| panic!("{e}"));
        Formula::all(&deck, &["g".into()], (&["core".into(), "shell".into()], 2))
    }

    #[test]
    fn only_what_varies_in_space_becomes_an_input() {
        let names = |text: &str| formulas(text).into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(names("conductivity = \"a\"\nsource = \"x\""), ["source"]);
        assert_eq!(names("conductivity = \"if(g > 0, a, 3)\"\nsource = 4"), ["conductivity"]);
        assert_eq!(names("conductivity = { default = \"1 + x\" }"), ["conductivity"]);
        assert!(names("conductivity = { core = \"a\", default = \"a\" }").is_empty());
        assert!(names("conductivity = { core = \"a\" }").is_empty(), "a region is missing");
        assert_eq!(names("conductivity = { core = \"a\", shell = 2 }"), ["conductivity"]);
        let in_time = "source = \"x*t\"\n[[initial]]\nvalue = \"a*g\"\n[time]\nend = 1\nstep = 1";
        assert_eq!(names(in_time), ["initial_u"]);
        let second = "conductivity = \"1 + x\"\n[[physics]]\nname = \"other\"\nfield = \"v\"\nmodel = \"diffusion\"\n\
                      conductivity = \"exp(g)\"\nboundary = [{ marker = \"left\", value = 0 }]";
        assert_eq!(names(second), ["diffusion_conductivity", "other_conductivity"]);
    }

    #[test]
    fn tensors_become_their_entries() {
        let list = formulas("conductivity = { core = [[2, \"x\"], [\"x\", 3]], shell = [\"a\", 3] }");
        let texts: Vec<_> = list.iter().map(|f| (f.name.as_str(), f.meaning.as_str())).collect();
        assert_eq!(
            texts,
            [
                ("conductivity_xx", "conductivity_xx of diffusion: core = 2e0, shell = a"),
                ("conductivity_xy", "conductivity_xy of diffusion: core = x, shell = 0e0"),
            ]
        );
    }

    #[test]
    fn formulas_are_evaluated_inside_the_mesh() {
        let formula = formulas("conductivity = \"a*x + g\"").remove(0);
        assert_eq!(formula.meaning, "conductivity of diffusion: a*x + g");
        let points = [[0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]];
        let values = formula.evaluate(&points, &[Some(1), Some(0), None], &[2.0], &[&[5.0, 6.0, 7.0]]);
        assert_eq!(values[..2], [5.0, 8.0]);
        assert!(values[2].is_nan());
        let formula = formulas("conductivity = { core = \"a*x\", default = \"3 + g\" }").remove(0);
        assert_eq!(formula.meaning, "conductivity of diffusion: core = a*x, shell = 3 + g");
        let values = formula.evaluate(&points, &[Some(1), Some(0), None], &[2.0], &[&[5.0, 6.0, 7.0]]);
        assert_eq!(values[..2], [8.0, 2.0]);
    }
}
