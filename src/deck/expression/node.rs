//! The syntax tree of an expression.
use std::fmt;

/// An operator or function with a fixed number of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Negate,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    If,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Atan2,
    Sinh,
    Cosh,
    Tanh,
    Exp,
    Log,
    Log10,
    Log2,
    Sqrt,
    Abs,
    Sign,
    Floor,
    Ceil,
    Step,
    Min,
    Max,
    Mod,
}

use Function as F;

/// Names a user may call; the first name of a function is the one we write.
pub(super) const CALLS: [(&str, Function); 27] = [
    ("if", F::If),
    ("sin", F::Sin),
    ("cos", F::Cos),
    ("tan", F::Tan),
    ("asin", F::Asin),
    ("acos", F::Acos),
    ("atan", F::Atan),
    ("atan2", F::Atan2),
    ("sinh", F::Sinh),
    ("cosh", F::Cosh),
    ("tanh", F::Tanh),
    ("exp", F::Exp),
    ("log", F::Log),
    ("ln", F::Log),
    ("log10", F::Log10),
    ("log2", F::Log2),
    ("sqrt", F::Sqrt),
    ("abs", F::Abs),
    ("sign", F::Sign),
    ("floor", F::Floor),
    ("ceil", F::Ceil),
    ("step", F::Step),
    ("heaviside", F::Step),
    ("min", F::Min),
    ("max", F::Max),
    ("mod", F::Mod),
    ("pow", F::Power),
];

impl Function {
    /// Number of arguments; `min` and `max` take more and are nested by the parser.
    pub(super) fn arity(self) -> usize {
        match self {
            F::If => 3,
            F::Add | F::Subtract | F::Multiply | F::Divide | F::Power => 2,
            F::Less | F::LessEqual | F::Greater | F::GreaterEqual => 2,
            F::Atan2 | F::Min | F::Max | F::Mod => 2,
            _ => 1,
        }
    }

    /// The value; `step(0)` is 1, comparisons give 1 or 0, `mod` has the sign of its second argument.
    #[inline(always)]
    pub(super) fn apply(self, a: f64, b: f64, c: f64) -> f64 {
        let truth = |condition: bool| f64::from(u8::from(condition));
        match self {
            F::Add => a + b,
            F::Subtract => a - b,
            F::Multiply => a * b,
            F::Divide => a / b,
            F::Power => a.powf(b),
            F::Negate => -a,
            F::Less => truth(a < b),
            F::LessEqual => truth(a <= b),
            F::Greater => truth(a > b),
            F::GreaterEqual => truth(a >= b),
            F::If => {
                if a != 0.0 {
                    b
                } else {
                    c
                }
            }
            F::Sin => a.sin(),
            F::Cos => a.cos(),
            F::Tan => a.tan(),
            F::Asin => a.asin(),
            F::Acos => a.acos(),
            F::Atan => a.atan(),
            F::Atan2 => a.atan2(b),
            F::Sinh => a.sinh(),
            F::Cosh => a.cosh(),
            F::Tanh => a.tanh(),
            F::Exp => a.exp(),
            F::Log => a.ln(),
            F::Log10 => a.log10(),
            F::Log2 => a.log2(),
            F::Sqrt => a.sqrt(),
            F::Abs => a.abs(),
            F::Sign => truth(a > 0.0) - truth(a < 0.0),
            F::Floor => a.floor(),
            F::Ceil => a.ceil(),
            F::Step => truth(a >= 0.0),
            F::Min => a.min(b),
            F::Max => a.max(b),
            F::Mod => a - b * (a / b).floor(),
        }
    }

    fn symbol(self) -> Option<&'static str> {
        Some(match self {
            F::Add => "+",
            F::Subtract => "-",
            F::Multiply => "*",
            F::Divide => "/",
            F::Power => "^",
            F::Less => "<",
            F::LessEqual => "<=",
            F::Greater => ">",
            F::GreaterEqual => ">=",
            _ => return None,
        })
    }
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Number(f64),
    Variable(usize),
    Call(Function, Vec<Node>),
}

impl Node {
    /// A call, folded where its value or its neutral element is known.
    pub(super) fn call(function: Function, arguments: Vec<Node>) -> Node {
        let number = |i: usize| match arguments.get(i) {
            Some(Node::Number(value)) => Some(*value),
            _ => None,
        };
        if (0..arguments.len()).all(|i| number(i).is_some()) {
            let value = |i: usize| number(i).unwrap_or(0.0);
            return Node::Number(function.apply(value(0), value(1), value(2)));
        }
        let (first, second) = (number(0), number(1));
        let kept = match (function, first, second) {
            (F::Add, Some(0.0), _) | (F::Multiply, Some(1.0), _) => 1,
            (F::Add | F::Subtract, _, Some(0.0)) => 0,
            (F::Multiply | F::Divide | F::Power, _, Some(1.0)) => 0,
            (F::Multiply, Some(0.0), _) | (F::Multiply, _, Some(0.0)) | (F::Divide, Some(0.0), _) => {
                return Node::Number(0.0);
            }
            (F::Power, _, Some(0.0)) => return Node::Number(1.0),
            (F::If, Some(condition), _) => 2 - usize::from(condition != 0.0),
            _ => return Node::Call(function, arguments),
        };
        arguments.into_iter().nth(kept).unwrap_or(Node::Number(0.0))
    }

    /// Adds the variables below this node to the sorted list `used`.
    pub(super) fn variables(&self, used: &mut Vec<usize>) {
        match self {
            Node::Number(_) => {}
            Node::Variable(variable) => {
                if let Err(place) = used.binary_search(variable) {
                    used.insert(place, *variable);
                }
            }
            Node::Call(_, arguments) => arguments.iter().for_each(|a| a.variables(used)),
        }
    }

    /// Levels of the tree; found without recursion, which the tree may be too deep for.
    pub(super) fn depth(&self) -> usize {
        let (mut deepest, mut pending) = (0, vec![(self, 1)]);
        while let Some((node, depth)) = pending.pop() {
            deepest = deepest.max(depth);
            if let Node::Call(_, arguments) = node {
                pending.extend(arguments.iter().map(|argument| (argument, depth + 1)));
            }
        }
        deepest
    }

    /// The derivative with respect to a variable.
    pub(super) fn derivative(&self, variable: usize) -> Node {
        let (function, arguments) = match self {
            Node::Number(_) => return Node::Number(0.0),
            Node::Variable(v) => return Node::Number(f64::from(u8::from(*v == variable))),
            Node::Call(function, arguments) => (*function, arguments),
        };
        let a = || arguments[0].clone();
        let b = || arguments[1].clone();
        let d = |i: usize| arguments[i].derivative(variable);
        let n = Node::Number;
        let chain = |outer: Node| mul(outer, d(0));
        match function {
            F::Add => add(d(0), d(1)),
            F::Subtract => sub(d(0), d(1)),
            F::Multiply => add(mul(d(0), b()), mul(a(), d(1))),
            F::Divide => sub(div(d(0), b()), div(mul(a(), d(1)), mul(b(), b()))),
            F::Power => {
                let base = mul(mul(b(), pow(a(), sub(b(), n(1.0)))), d(0));
                match d(1) {
                    Node::Number(0.0) => base,
                    exponent => add(base, mul(mul(self.clone(), one(F::Log, a())), exponent)),
                }
            }
            F::Negate => Node::call(F::Negate, vec![d(0)]),
            F::Less | F::LessEqual | F::Greater | F::GreaterEqual => n(0.0),
            F::Sign | F::Floor | F::Ceil | F::Step => n(0.0),
            F::If => Node::call(F::If, vec![a(), d(1), d(2)]),
            F::Min => choose(Node::call(F::Less, vec![a(), b()]), d(0), d(1)),
            F::Max => choose(Node::call(F::Less, vec![a(), b()]), d(1), d(0)),
            F::Mod => sub(d(0), mul(one(F::Floor, div(a(), b())), d(1))),
            F::Sin => chain(one(F::Cos, a())),
            F::Cos => chain(one(F::Negate, one(F::Sin, a()))),
            F::Tan => chain(div(n(1.0), pow(one(F::Cos, a()), n(2.0)))),
            F::Asin => chain(div(n(1.0), one(F::Sqrt, sub(n(1.0), pow(a(), n(2.0)))))),
            F::Acos => chain(div(n(-1.0), one(F::Sqrt, sub(n(1.0), pow(a(), n(2.0)))))),
            F::Atan => chain(div(n(1.0), add(n(1.0), pow(a(), n(2.0))))),
            F::Atan2 => div(sub(mul(d(0), b()), mul(a(), d(1))), add(mul(a(), a()), mul(b(), b()))),
            F::Sinh => chain(one(F::Cosh, a())),
            F::Cosh => chain(one(F::Sinh, a())),
            F::Tanh => chain(sub(n(1.0), pow(one(F::Tanh, a()), n(2.0)))),
            F::Exp => chain(self.clone()),
            F::Log => div(d(0), a()),
            F::Log10 => div(d(0), mul(n(std::f64::consts::LN_10), a())),
            F::Log2 => div(d(0), mul(n(std::f64::consts::LN_2), a())),
            F::Sqrt => div(d(0), mul(n(2.0), self.clone())),
            F::Abs => chain(one(F::Sign, a())),
        }
        .simplified()
    }

    /// Drops an `if` whose branches agree.
    fn simplified(self) -> Node {
        match self {
            Node::Call(F::If, mut arguments) if arguments[1] == arguments[2] => arguments.remove(1),
            node => node,
        }
    }

    /// The formula as text that parses again.
    pub(super) fn display<'a>(&'a self, names: &'a [String]) -> impl fmt::Display + 'a {
        Shown(self, names)
    }
}

fn one(function: Function, a: Node) -> Node {
    Node::call(function, vec![a])
}

fn add(a: Node, b: Node) -> Node {
    Node::call(F::Add, vec![a, b])
}

fn sub(a: Node, b: Node) -> Node {
    Node::call(F::Subtract, vec![a, b])
}

fn mul(a: Node, b: Node) -> Node {
    Node::call(F::Multiply, vec![a, b])
}

fn div(a: Node, b: Node) -> Node {
    Node::call(F::Divide, vec![a, b])
}

fn pow(a: Node, b: Node) -> Node {
    Node::call(F::Power, vec![a, b])
}

fn choose(condition: Node, yes: Node, no: Node) -> Node {
    Node::call(F::If, vec![condition, yes, no])
}

/// A node with the names of its variables.
struct Shown<'a>(&'a Node, &'a [String]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(node, names) = *self;
        match node {
            Node::Number(value) if *value < 0.0 => write!(f, "({value:?})"),
            Node::Number(value) => write!(f, "{value:?}"),
            Node::Variable(variable) => f.write_str(names.get(*variable).map_or("?", String::as_str)),
            Node::Call(F::Negate, a) => write!(f, "(-{})", Shown(&a[0], names)),
            Node::Call(function, arguments) => {
                if let Some(symbol) = function.symbol() {
                    return write!(
                        f,
                        "({} {symbol} {})",
                        Shown(&arguments[0], names),
                        Shown(&arguments[1], names)
                    );
                }
                let name = CALLS.iter().find(|(_, known)| known == function).map_or("?", |(name, _)| name);
                write!(f, "{name}(")?;
                for (i, argument) in arguments.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { ", " } else { "" }, Shown(argument, names))?;
                }
                f.write_str(")")
            }
        }
    }
}
