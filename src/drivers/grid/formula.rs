//! Coefficients and initial values that are formulas in place, parameters and random fields.
use crate::deck::{COORDINATES, Coefficient, Deck, Expression, Tensor};

/// A formula of the deck that becomes an input.
pub(super) struct Formula {
    /// Name of the input.
    pub name: String,
    /// What it is, in words.
    pub meaning: String,
    expression: Expression,
    /// Time at which it counts, s.
    time: f64,
}

impl Formula {
    /// Those of a deck that differ from point to point and not in time; of coefficients given by region, by entries of a
    /// tensor or by a file there are none. `taken` are the random fields at hand.
    pub fn all(deck: &Deck, taken: &[String]) -> Vec<Self> {
        let variables = deck.field_variables();
        let mut found = Vec::new();
        for physics in &deck.physics {
            for (key, coefficient) in physics.coefficients() {
                if let Coefficient::Uniform(Tensor::Isotropic(scalar)) = coefficient
                    && let Ok(expression) = scalar.parse(&variables)
                {
                    found.push((
                        physics.name(),
                        key.to_string(),
                        format!("{key} of {}", physics.name()),
                        expression,
                    ));
                }
            }
        }
        for initial in &deck.initial {
            if let Ok(mut list) = initial.value.parse(&variables)
                && let (Some(expression), true) = (list.pop(), list.is_empty())
                && let Some((physics, field)) = deck.field_of(initial.field.as_deref(), None)
            {
                let name = deck.physics[physics].name();
                found.push((name, format!("initial_{field}"), format!("{field} at the start"), expression));
            }
        }
        let random = |parameter: usize| deck.random.get_index(parameter.checked_sub(deck.parameters.len())?);
        found.retain(|(.., expression)| {
            let mut fields = expression.parameters().filter_map(random).peekable();
            let varies = expression.depends_on_space() || fields.peek().is_some();
            varies && !expression.depends_on_time() && fields.all(|(name, _)| taken.contains(name))
        });
        let clash =
            |key: &String| taken.contains(key) || found.iter().filter(|other| other.1 == *key).count() > 1;
        let names: Vec<String> = found
            .iter()
            .map(|(physics, key, ..)| if clash(key) { format!("{physics}_{key}") } else { key.clone() })
            .collect();
        let time = deck.time.as_ref().map_or(0.0, |time| time.start);
        let formula = |(name, (.., meaning, expression)): (String, (_, _, String, Expression))| {
            let meaning = format!("{meaning}: {}", expression.text());
            Self { name, meaning, expression, time }
        };
        names.into_iter().zip(found).map(formula).collect()
    }

    /// The values at points for these parameters and values of the random fields at the points, both in the deck's
    /// order; no number outside the mesh, where `mask` is false.
    pub fn evaluate(
        &self,
        points: &[[f64; 3]],
        mask: &[bool],
        parameters: &[f64],
        random: &[&[f64]],
    ) -> Vec<f64> {
        let mut arguments = vec![0.0; COORDINATES.len()];
        arguments[COORDINATES.len() - 1] = self.time;
        arguments.extend(parameters);
        let first = arguments.len();
        arguments.resize(first + random.len(), 0.0);
        let mut value = |i: usize| {
            arguments[..3].copy_from_slice(&points[i]);
            arguments[first..].iter_mut().zip(random).for_each(|(argument, values)| *argument = values[i]);
            self.expression.eval(&arguments)
        };
        (0..points.len()).map(|i| if mask[i] { value(i) } else { f64::NAN }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formulas(physics: &str) -> Vec<Formula> {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"interval\", cells = [4] }}\n[parameters]\na = 2\n[random.g]\nkind = \"matern\"\n\
             range = 1\n[[physics]]\nmodel = \"diffusion\"\nboundary = [{{ marker = \"left\", value = 0 }}]\n{physics}"
        );
        Formula::all(&Deck::parse(&text, "deck", &[]).unwrap_or_else(|e| panic!("{e}")), &["g".into()])
    }

    #[test]
    fn only_what_varies_in_space_becomes_an_input() {
        let names = |text: &str| formulas(text).into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(names("conductivity = \"a\"\nsource = \"x\""), ["source"]);
        assert_eq!(names("conductivity = \"if(g > 0, a, 3)\"\nsource = 4"), ["conductivity"]);
        assert!(names("conductivity = { default = \"1 + x\" }").is_empty());
        let in_time = "source = \"x*t\"\n[[initial]]\nvalue = \"a*g\"\n[time]\nend = 1\nstep = 1";
        assert_eq!(names(in_time), ["initial_u"]);
        let second = "conductivity = \"1 + x\"\n[[physics]]\nname = \"other\"\nfield = \"v\"\nmodel = \"diffusion\"\n\
                      conductivity = \"exp(g)\"\nboundary = [{ marker = \"left\", value = 0 }]";
        assert_eq!(names(second), ["diffusion_conductivity", "other_conductivity"]);
    }

    #[test]
    fn formulas_are_evaluated_inside_the_mesh() {
        let formula = formulas("conductivity = \"a*x + g\"").remove(0);
        assert_eq!(formula.meaning, "conductivity of diffusion: a*x + g");
        let points = [[0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]];
        let values = formula.evaluate(&points, &[true, true, false], &[2.0], &[&[5.0, 6.0, 7.0]]);
        assert_eq!(values[..2], [5.0, 8.0]);
        assert!(values[2].is_nan());
    }
}
