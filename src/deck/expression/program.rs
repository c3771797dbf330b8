//! An expression as a list of steps on a stack of lanes.
use super::node::{Function, Node};

#[derive(Debug, Clone, Copy)]
enum Step {
    Number(f64),
    Variable(usize),
    Call(Function),
}

/// The steps in postfix order.
#[derive(Debug, Clone)]
pub(super) struct Program {
    steps: Vec<Step>,
    depth: usize,
}

impl Program {
    pub(super) fn compile(node: &Node) -> Self {
        let mut program = Self { steps: Vec::new(), depth: 0 };
        program.emit(node, 1);
        program
    }

    fn emit(&mut self, node: &Node, depth: usize) {
        self.depth = self.depth.max(depth);
        let step = match node {
            Node::Number(value) => Step::Number(*value),
            Node::Variable(variable) => Step::Variable(*variable),
            Node::Call(function, arguments) => {
                for (i, argument) in arguments.iter().enumerate() {
                    self.emit(argument, depth + i);
                }
                Step::Call(*function)
            }
        };
        self.steps.push(step);
    }

    /// Evaluates on `L` points at once; `load` gives a variable's values.
    #[inline]
    pub(super) fn run<const L: usize>(&self, load: impl Fn(usize) -> [f64; L]) -> [f64; L] {
        let mut small = [[0.0; L]; 8];
        if self.depth <= small.len() {
            return self.run_on(&mut small, load);
        }
        let mut large = vec![[0.0; L]; self.depth];
        self.run_on(&mut large, load)
    }

    #[inline]
    fn run_on<const L: usize>(&self, stack: &mut [[f64; L]], load: impl Fn(usize) -> [f64; L]) -> [f64; L] {
        let mut top = 0;
        for step in &self.steps {
            match *step {
                Step::Number(value) => {
                    stack[top] = [value; L];
                    top += 1;
                }
                Step::Variable(variable) => {
                    stack[top] = load(variable);
                    top += 1;
                }
                Step::Call(function) => {
                    top -= function.arity();
                    let (a, others) = stack[top..].split_first_mut().expect("as deep as the tree");
                    let none = [0.0; L];
                    let b = others.first().unwrap_or(&none);
                    apply(function, a, b, others.get(1).unwrap_or(&none));
                    top += 1;
                }
            }
        }
        stack[0]
    }
}

/// One function on all lanes, in the place of its first argument. The loops of cheap functions know which one it is, so
/// that they vectorise.
#[inline(always)]
fn apply<const L: usize>(function: Function, a: &mut [f64; L], b: &[f64; L], c: &[f64; L]) {
    macro_rules! known {
        ($($name:ident)*) => {
            match function {
                Function::Power if b.iter().all(|&exponent| exponent == 2.0) => each(a, b, c, |a, _, _| a * a),
                $(Function::$name => each(a, b, c, |a, b, c| Function::$name.apply(a, b, c)),)*
                other => each(a, b, c, |a, b, c| other.apply(a, b, c)),
            }
        };
    }
    known!(Add Subtract Multiply Divide Negate Less LessEqual Greater GreaterEqual If Sqrt Abs Step Min Max)
}

#[inline(always)]
fn each<const L: usize>(
    a: &mut [f64; L],
    b: &[f64; L],
    c: &[f64; L],
    function: impl Fn(f64, f64, f64) -> f64,
) {
    for i in 0..L {
        a[i] = function(a[i], b[i], c[i]);
    }
}
