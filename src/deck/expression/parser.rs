//! Text to tree: a Pratt parser.
use super::node::{CALLS, Function, Node};
use crate::deck::spelling::did_you_mean;
use std::fmt;

/// Deepest nesting of brackets, signs and powers.
const DEPTH: usize = 48;

/// Deepest tree: a sum of as many terms is one. Derivatives of products take its square in memory, and all take
/// stack in proportion.
const DEEPEST: usize = 1000;

/// Longest text of an expression, in bytes.
const LONGEST: usize = 10_000;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// The byte of the text where the fault is.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExpressionError {}

type Result<T> = std::result::Result<T, ExpressionError>;

fn fault<T>(offset: usize, message: impl Into<String>) -> Result<T> {
    Err(ExpressionError { offset, message: message.into() })
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Operator(Function),
    Open,
    Close,
    Comma,
    End,
}

/// Parses the whole text.
pub(super) fn parse(text: &str, names: &[String]) -> Result<Node> {
    if text.trim().is_empty() {
        return fault(0, "the expression is empty");
    }
    if text.len() > LONGEST {
        return fault(0, format!("the expression is longer than {LONGEST} characters"));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, names, nesting: 0 };
    let node = parser.expression(0)?;
    match parser.peek() {
        (_, Token::End) if node.depth() > DEEPEST => {
            fault(0, format!("more than {DEEPEST} operations in a row: put some of them in brackets"))
        }
        (_, Token::End) => Ok(node),
        (offset, Token::Close) => fault(*offset, "\")\" without a \"(\" before it"),
        (offset, _) => fault(*offset, "expected an operator such as + or *"),
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        let two = bytes.get(i + 1).copied();
        let token = match bytes[i] {
            b' ' | b'\t' | b'\n' | b'\r' => {
                i += 1;
                continue;
            }
            b'0'..=b'9' | b'.' => {
                i = number_end(bytes, i);
                match text[start..i].parse() {
                    Ok(value) => tokens.push((start, Token::Number(value))),
                    Err(_) => return fault(start, format!("\"{}\" is not a number", &text[start..i])),
                }
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_') {
                    i += 1;
                }
                tokens.push((start, Token::Name(text[start..i].to_string())));
                continue;
            }
            b'(' => Token::Open,
            b')' => Token::Close,
            b',' => Token::Comma,
            b'+' => Token::Operator(Function::Add),
            b'-' => Token::Operator(Function::Subtract),
            b'*' if two == Some(b'*') => {
                i += 1;
                Token::Operator(Function::Power)
            }
            b'*' => Token::Operator(Function::Multiply),
            b'/' => Token::Operator(Function::Divide),
            b'^' => Token::Operator(Function::Power),
            b'<' | b'>' => {
                let equal = two == Some(b'=');
                i += usize::from(equal);
                Token::Operator(match (bytes[start], equal) {
                    (b'<', false) => Function::Less,
                    (b'<', true) => Function::LessEqual,
                    (_, false) => Function::Greater,
                    (_, true) => Function::GreaterEqual,
                })
            }
            _ => {
                let character = text[start..].chars().next().unwrap_or(' ');
                return fault(start, format!("unexpected character \"{character}\""));
            }
        };
        i += 1;
        tokens.push((start, token));
    }
    tokens.push((text.trim_end().len(), Token::End));
    Ok(tokens)
}

/// Where the number that starts at `i` ends: digits, point, exponent.
fn number_end(bytes: &[u8], mut i: usize) -> usize {
    let digits = |mut i: usize| {
        while i < bytes.len() && bytes[i].is_ascii_digit() {
            i += 1;
        }
        i
    };
    i = digits(i);
    if bytes.get(i) == Some(&b'.') {
        i = digits(i + 1);
    }
    if matches!(bytes.get(i), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-')));
        let end = digits(i + 1 + sign);
        if end > i + 1 + sign {
            return end;
        }
    }
    i
}

/// How strongly an operator binds on its left and right.
fn binding(function: Function) -> (u8, u8) {
    match function {
        Function::Add | Function::Subtract => (3, 4),
        Function::Multiply | Function::Divide => (5, 6),
        Function::Power => (10, 9),
        _ => (1, 2),
    }
}

/// A sign binds closer than a product and looser than a power.
const SIGN: u8 = 7;

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    next: usize,
    names: &'a [String],
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &(usize, Token) {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> (usize, Token) {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn expression(&mut self, least: u8) -> Result<Node> {
        self.nesting += 1;
        if self.nesting > DEPTH {
            return fault(self.peek().0, format!("nested more than {DEPTH} levels deep"));
        }
        let mut left = self.operand()?;
        while let (_, Token::Operator(function)) = *self.peek() {
            let (before, after) = binding(function);
            if before < least {
                break;
            }
            self.take();
            let right = self.expression(after)?;
            left = Node::call(function, vec![left, right]);
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node> {
        let (offset, token) = self.take();
        match token {
            Token::Number(value) => Ok(Node::Number(value)),
            Token::Operator(Function::Subtract) => {
                Ok(Node::call(Function::Negate, vec![self.expression(SIGN)?]))
            }
            Token::Operator(Function::Add) => self.expression(SIGN),
            Token::Open => {
                let node = self.expression(0)?;
                self.close(offset)?;
                Ok(node)
            }
            Token::Name(name) if matches!(self.peek().1, Token::Open) => self.function(offset, &name),
            Token::Name(name) => self.variable(offset, &name),
            Token::End => fault(offset, "the expression ends where a value should follow"),
            Token::Operator(_) | Token::Close | Token::Comma => {
                fault(offset, "expected a number, a name or \"(\"")
            }
        }
    }

    fn variable(&self, offset: usize, name: &str) -> Result<Node> {
        if let Some(variable) = self.names.iter().position(|known| known == name) {
            return Ok(Node::Variable(variable));
        }
        if name == "pi" {
            return Ok(Node::Number(std::f64::consts::PI));
        }
        if CALLS.iter().any(|(known, _)| *known == name) {
            return fault(offset, format!("\"{name}\" is a function: write {name}(...)"));
        }
        let known: Vec<&str> = self.names.iter().map(String::as_str).chain(["pi"]).collect();
        fault(offset, format!("unknown variable \"{name}\"{}", did_you_mean(name, &known, "variables")))
    }

    fn function(&mut self, offset: usize, name: &str) -> Result<Node> {
        let Some(&(_, function)) = CALLS.iter().find(|(known, _)| *known == name) else {
            let hint = did_you_mean(name, &CALLS.map(|(known, _)| known), "functions");
            return fault(offset, format!("unknown function \"{name}\"{hint}"));
        };
        self.take();
        let mut arguments = vec![self.expression(0)?];
        while matches!(self.peek().1, Token::Comma) {
            self.take();
            arguments.push(self.expression(0)?);
        }
        self.close(offset)?;
        let (arity, found) = (function.arity(), arguments.len());
        if matches!(function, Function::Min | Function::Max) && found > 1 {
            let mut rest = arguments.into_iter();
            let first = rest.next().unwrap_or(Node::Number(0.0));
            return Ok(rest.fold(first, |a, b| Node::call(function, vec![a, b])));
        }
        if found != arity {
            let plural = if arity == 1 { "argument" } else { "arguments" };
            return fault(offset, format!("{name}(...) takes {arity} {plural}, found {found}"));
        }
        Ok(Node::call(function, arguments))
    }

    fn close(&mut self, open: usize) -> Result<()> {
        match self.take() {
            (_, Token::Close) => Ok(()),
            (_, Token::End) => fault(open, "\"(\" is never closed: expected \")\""),
            (offset, _) => fault(offset, "expected an operator or \")\""),
        }
    }
}
