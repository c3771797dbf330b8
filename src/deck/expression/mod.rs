//! Formulas in decks: parsed once, evaluated on many points, differentiated exactly.
//!
//! ```
//! use tessera::deck::Expression;
//! let names = Expression::variables(["h"]); // x, y, z, t and the parameters
//! let e = Expression::parse("h * exp(-x^2) + max(y, 1e-3)", &names).unwrap();
//! assert_eq!(e.eval(&[0.0, 2.0, 0.0, 0.0, 5.0]), 7.0);
//! assert!(e.depends_on_space() && e.depends_on_parameters());
//! ```
//!
//! Precedence is that of mathematics (`-x^2` is -(x^2), `2^3^2` is 2^9). A parser of our own, because
//! the expression crates at hand bind a sign closer than a power, take no `1e-3`, or do not say where
//! in the text a mistake is.
mod node;
mod parser;
mod program;

pub use parser::ExpressionError;

use node::Node;
use program::Program;
use std::fmt;

/// Names that every expression knows: position in metres and time in seconds.
pub const COORDINATES: [&str; 4] = ["x", "y", "z", "t"];

/// The first variable that is a parameter.
const FIRST_PARAMETER: usize = COORDINATES.len();

/// A compiled formula in x, y, z, t and the deck's parameters.
#[derive(Clone)]
pub struct Expression {
    text: String,
    names: Vec<String>,
    node: Node,
    program: Program,
    used: Vec<usize>,
}

impl Expression {
    /// The names an expression may use, in the order in which [`Expression::eval`] takes their values:
    /// x, y, z, t, then the parameters.
    pub fn variables<S: AsRef<str>>(parameters: impl IntoIterator<Item = S>) -> Vec<String> {
        let own = COORDINATES.iter().map(|name| name.to_string());
        own.chain(parameters.into_iter().map(|name| name.as_ref().to_string())).collect()
    }

    /// Compiles `text`; `names` are its variables (see [`Expression::variables`]).
    ///
    /// # Errors
    /// Names the character at which the text stops making sense, or the unknown name and the nearest
    /// known one.
    pub fn parse(text: &str, names: &[String]) -> Result<Self, ExpressionError> {
        Ok(Self::from_node(text.trim().to_string(), parser::parse(text, names)?, names.to_vec()))
    }

    /// Whether expressions know a function of that name.
    pub fn is_function(name: &str) -> bool {
        node::CALLS.iter().any(|(known, _)| *known == name)
    }

    /// An expression that is a number.
    pub fn constant(value: f64) -> Self {
        Self::from_node(value.to_string(), Node::Number(value), Self::variables::<&str>([]))
    }

    fn from_node(text: String, node: Node, names: Vec<String>) -> Self {
        let program = Program::compile(&node);
        let mut used = Vec::new();
        node.variables(&mut used);
        Self { text, names, node, program, used }
    }

    /// As the user wrote it (a derivative: as we write it).
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value if it depends on nothing.
    pub fn as_constant(&self) -> Option<f64> {
        match self.node {
            Node::Number(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it changes with x, y or z.
    pub fn depends_on_space(&self) -> bool {
        self.used.iter().any(|&v| v < 3)
    }

    /// Whether it changes with t.
    pub fn depends_on_time(&self) -> bool {
        self.used.contains(&3)
    }

    /// Whether it changes with a parameter.
    pub fn depends_on_parameters(&self) -> bool {
        self.used.iter().any(|&v| v >= FIRST_PARAMETER)
    }

    /// The parameters it uses, numbered from 0 in the deck's order.
    pub fn parameters(&self) -> impl Iterator<Item = usize> + '_ {
        self.used.iter().filter(|&&v| v >= FIRST_PARAMETER).map(|&v| v - FIRST_PARAMETER)
    }

    /// The value at one point. `values` are x, y, z, t and the parameters; missing ones count as 0.
    pub fn eval(&self, values: &[f64]) -> f64 {
        self.program.run::<1>(|variable| [values.get(variable).copied().unwrap_or(0.0)])[0]
    }

    /// The values in several lanes at once; `load` gives those of a variable.
    pub fn eval_lanes<const L: usize>(&self, load: impl Fn(usize) -> [f64; L]) -> [f64; L] {
        self.program.run(load)
    }

    /// The variables it uses, by their numbers.
    pub fn used(&self) -> &[usize] {
        &self.used
    }

    /// Values at many points: `points` is `[point, dimension]` (metres, 1 to 3 coordinates a point),
    /// `result` has one entry a point.
    pub fn eval_points(
        &self,
        points: &[f64],
        dimension: usize,
        time: f64,
        parameters: &[f64],
        result: &mut [f64],
    ) {
        const LANES: usize = 32;
        for (chunk, values) in points.chunks(LANES * dimension).zip(result.chunks_mut(LANES)) {
            let lanes = self.program.run::<LANES>(|variable| match variable {
                3 => [time; LANES],
                v if v >= FIRST_PARAMETER => {
                    [parameters.get(v - FIRST_PARAMETER).copied().unwrap_or(0.0); LANES]
                }
                v if v < dimension => {
                    let mut lanes = [0.0; LANES];
                    for (lane, point) in lanes.iter_mut().zip(chunk.chunks_exact(dimension)) {
                        *lane = point[v];
                    }
                    lanes
                }
                _ => [0.0; LANES],
            });
            values.copy_from_slice(&lanes[..values.len()]);
        }
    }

    /// The exact derivative with respect to a variable (number as in [`Expression::variables`]).
    /// Where the formula has a kink (`abs`, `min`, `max`, `step`, `if`) it is that of the branch taken.
    pub fn derivative(&self, variable: usize) -> Self {
        let node = self.node.derivative(variable);
        let text = node.display(&self.names).to_string();
        Self::from_node(text, node, self.names.clone())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, x: f64) -> f64 {
        let names = Expression::variables(["mu"]);
        Expression::parse(text, &names).unwrap().eval(&[x, 2.0, 3.0, 0.5, 7.0])
    }

    #[test]
    fn precedence_is_that_of_mathematics() {
        assert_eq!(value("-x^2", 3.0), -9.0);
        assert_eq!(value("2^3^2", 0.0), 512.0);
        assert_eq!(value("2^-1", 0.0), 0.5);
        assert_eq!(value("1 - 2 - 3", 0.0), -4.0);
        assert_eq!(value("8/4/2", 0.0), 1.0);
        assert_eq!(value("1 + 2*x**2", 2.0), 9.0);
        assert_eq!(value("-2*-x", 4.0), 8.0);
        assert_eq!(value("1.5e-3 + 2E2", 0.0), 200.0015);
        assert_eq!(value("x < 1", 0.5) + value("x >= 1", 0.5), 1.0);
    }

    #[test]
    fn functions_and_names() {
        assert!((value("sin(pi*x)", 0.5) - 1.0).abs() < 1e-15);
        assert_eq!(value("max(x, y, z, mu)", 1.0), 7.0);
        assert_eq!(value("min(x, y)", 1.0), 1.0);
        assert_eq!(value("step(x)", 0.0) + value("heaviside(x)", -1e-9), 1.0);
        assert_eq!(value("if(x < 0, 10, mu)", 0.0), 7.0);
        assert_eq!(value("ln(exp(x)) + log(exp(1))", 2.0), 3.0);
        assert_eq!(value("pow(x, 2) + sqrt(abs(-16)) + mod(7, 4)", 3.0), 16.0);
    }

    #[test]
    fn arrays_agree_with_single_points() {
        let names = Expression::variables(["mu"]);
        let e = Expression::parse("mu*x + cos(y)^2*t - step(x - 40)", &names).unwrap();
        let points: Vec<f64> = (0..2 * 77).map(|i| i as f64).collect();
        let mut result = vec![0.0; 77];
        e.eval_points(&points, 2, 0.25, &[3.0], &mut result);
        for (point, &value) in points.chunks(2).zip(&result) {
            assert_eq!(value, e.eval(&[point[0], point[1], 0.0, 0.25, 3.0]));
        }
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let names = Expression::variables(["mu"]);
        for text in [
            "sin(pi*x)*exp(-x^2)/(1 + x)",
            "x^3 + 2^x + x^x + mu^x",
            "log(x) + log10(x) + log2(x) + sqrt(x) + tanh(x)",
            "max(x, 0.5*x + 0.01) + min(x^2, x) + abs(x - 2)*x",
            "atan(x) + asin(x/2) + acos(x/3) + sinh(x) + cosh(x) + tan(x)",
            "if(x < 2, x^2, x) + atan2(x, y) - mod(x, 5) + sign(x)*x",
        ] {
            let e = Expression::parse(text, &names).unwrap();
            let slope = e.derivative(0).eval(&[0.7, 2.0, 0.0, 0.0, 3.0]);
            let at = |x: f64| e.eval(&[x, 2.0, 0.0, 0.0, 3.0]);
            let difference = (at(0.7 + 1e-6) - at(0.7 - 1e-6)) / 2e-6;
            assert!(
                (slope - difference).abs() < 1e-7 * difference.abs().max(1.0),
                "{text}: {slope} {difference}"
            );
            // The text of a derivative is an expression again.
            let text = e.derivative(0).text().to_string();
            let again = Expression::parse(&text, &names).unwrap().eval(&[0.7, 2.0, 0.0, 0.0, 3.0]);
            assert!((again - slope).abs() < 1e-12 * slope.abs().max(1.0), "{text}");
        }
    }

    #[test]
    fn dependencies() {
        let names = Expression::variables(["a", "b"]);
        let e = Expression::parse("0*x + b*2", &names).unwrap();
        assert!(!e.depends_on_space(), "a factor of nought is folded away");
        assert_eq!(e.parameters().collect::<Vec<_>>(), [1]);
        assert_eq!(Expression::parse("2*pi/pi", &names).unwrap().as_constant(), Some(2.0));
        assert!(Expression::parse("t", &names).unwrap().depends_on_time());
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let names = Expression::variables(["inlet", "h_gas"]);
        let fault = |text: &str| {
            let error = Expression::parse(text, &names).unwrap_err();
            format!("{}: {}", error.offset, error.message)
        };
        assert!(fault("1 + inlte").starts_with("4: unknown variable \"inlte\"; did you mean \"inlet\"?"));
        assert!(fault("sine(x)").starts_with("0: unknown function \"sine\"; did you mean \"sin\"?"));
        assert!(fault("1 +").contains("ends where"));
        assert!(fault("(x").contains("\")\""));
        assert!(fault("x y").starts_with("2: "));
        assert!(fault("atan2(x)").contains("takes 2 arguments, found 1"));
        assert!(fault("").contains("empty"));
        assert!(fault("2 $ x").starts_with("2: unexpected character \"$\""));
        assert!(fault("sin").contains("is a function"));
        assert!(fault(&"(".repeat(4_000)).contains("nested"));
        assert!(fault(&"-".repeat(4_000)).contains("nested"));
        assert!(fault(&format!("x{}", "^x".repeat(4_000))).contains("nested"));
    }
}
