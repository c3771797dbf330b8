//! Reading a `.msh` file piece by piece, ASCII or binary, without trusting a number in it.
use crate::error::{Diagnostic, Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

const BUFFER: usize = 1 << 18;
/// No number or section name is longer.
const LONGEST_WORD: usize = 400;
/// Gmsh's limit is 127 characters.
const LONGEST_NAME: usize = 1000;

/// A file being read, with the place reached.
pub(super) struct Input {
    file: File,
    name: String,
    length: u64,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes of the file before the buffer.
    before: u64,
    line: usize,
    /// Offset of the first byte of the line.
    line_start: u64,
    word: Vec<u8>,
    /// Offset and line of the word or number read last.
    last: (u64, usize, u64),
    /// Whether numbers outside the ASCII parts are binary.
    pub binary: bool,
    /// Whether binary numbers have the other byte order.
    pub swap: bool,
}

impl Input {
    /// Opens an ordinary file.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let fault = |e: std::io::Error| Error::input(&name, format!("cannot be read: {e}"));
        let data = std::fs::metadata(path).map_err(fault)?;
        if !data.is_file() {
            return Err(Error::input(&name, "is not a file"));
        }
        let file = File::open(path).map_err(fault)?;
        Ok(Self {
            file,
            length: data.len(),
            buffer: Vec::new(),
            at: 0,
            before: 0,
            line: 1,
            line_start: 0,
            word: Vec::new(),
            last: (0, 1, 0),
            binary: false,
            swap: false,
            name,
        })
    }

    /// A fault at the word or number read last.
    pub fn fault(&self, message: impl std::fmt::Display) -> Error {
        let (offset, line, line_start) = self.last;
        let mut diagnostic = Diagnostic::new(&self.name, message.to_string());
        if self.binary {
            diagnostic.message = format!("at byte {offset}: {message}");
        } else {
            diagnostic.position = Some((line, (offset - line_start) as usize + 1));
        }
        Error::Input(vec![diagnostic])
    }

    /// A fault of the file as a whole.
    pub fn whole(&self, message: impl Into<String>) -> Error {
        Error::input(&self.name, message)
    }

    /// The file, as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    fn mark(&mut self) {
        self.last = (self.offset(), self.line, self.line_start);
    }

    fn refill(&mut self) -> Result<bool> {
        self.before += self.buffer.len() as u64;
        self.buffer.resize(BUFFER, 0);
        self.at = 0;
        let count = loop {
            match self.file.read(&mut self.buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.whole(format!("cannot be read: {e}"))),
                Ok(count) => break count,
            }
        };
        self.buffer.truncate(count);
        Ok(count > 0)
    }

    #[inline]
    fn peek(&mut self) -> Result<Option<u8>> {
        if self.at == self.buffer.len() && !self.refill()? {
            return Ok(None);
        }
        Ok(Some(self.buffer[self.at]))
    }

    #[inline]
    fn step(&mut self, byte: u8) {
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.offset();
        }
    }

    fn skip_space(&mut self) -> Result<()> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                break;
            }
            self.step(byte);
        }
        self.mark();
        Ok(())
    }

    /// The next word into `self.word`; empty at the end of the file.
    fn next_word(&mut self) -> Result<()> {
        self.skip_space()?;
        self.word.clear();
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() {
                break;
            }
            if self.word.len() == LONGEST_WORD {
                return Err(self.fault("this is not a Gmsh file, or it is damaged: a word without end"));
            }
            self.word.push(byte);
            self.at += 1;
        }
        Ok(())
    }

    fn show(&self) -> String {
        if self.word.is_empty() {
            return "the end of the file".into();
        }
        let text: String = String::from_utf8_lossy(&self.word).chars().take(30).collect();
        format!("\"{}\"", text.escape_debug())
    }

    /// The name of the next section (without `$`), or `None` at the end of the file.
    ///
    /// # Errors
    /// [`Error::Input`] when something else follows.
    pub fn section(&mut self) -> Result<Option<String>> {
        self.next_word()?;
        match self.word.split_first() {
            None => Ok(None),
            Some((b'$', name)) if !name.is_empty() && name.is_ascii() => {
                Ok(Some(String::from_utf8_lossy(name).into_owned()))
            }
            _ => Err(self.fault(format!("expected the start of a section ($...), found {}", self.show()))),
        }
    }

    /// Reads `$End<name>`.
    ///
    /// # Errors
    /// [`Error::Input`] when something else follows.
    pub fn end(&mut self, name: &str) -> Result<()> {
        self.next_word()?;
        if self.word.strip_prefix(b"$End") == Some(name.as_bytes()) {
            return Ok(());
        }
        Err(self.fault(format!(
            "expected $End{name}, found {}: is the count of this section right?",
            self.show()
        )))
    }

    /// Passes over a section that is not used.
    ///
    /// # Errors
    /// [`Error::Input`] when the file ends before it.
    pub fn skip(&mut self, name: &str) -> Result<()> {
        self.mark();
        let wanted = format!("$End{name}").into_bytes();
        let mut seen: Vec<u8> = Vec::with_capacity(wanted.len());
        while let Some(byte) = self.peek()? {
            self.step(byte);
            if seen.len() < wanted.len() && byte == wanted[seen.len()] {
                seen.push(byte);
                if seen.len() == wanted.len() && self.peek()?.is_none_or(|b| b.is_ascii_whitespace()) {
                    return Ok(());
                }
            } else {
                // The only prefix that is a proper suffix starts at a `$`.
                seen.clear();
                if byte == b'$' {
                    seen.push(byte);
                }
            }
        }
        Err(self.fault(format!("section ${name} has no $End{name}")))
    }

    /// An integer written as text in both kinds of file.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none.
    pub fn text_integer(&mut self, what: &str) -> Result<i64> {
        self.next_word()?;
        let (negative, digits) = match self.word.as_slice() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        let mut value: i64 = 0;
        let mut good = !digits.is_empty();
        for &digit in digits {
            let next = value.checked_mul(10).and_then(|v| v.checked_add(i64::from(digit.wrapping_sub(b'0'))));
            match next {
                Some(next) if digit.is_ascii_digit() => value = next,
                _ => good = false,
            }
        }
        if !good {
            return Err(self.fault(format!("expected {what} (an integer), found {}", self.show())));
        }
        Ok(if negative { -value } else { value })
    }

    /// A number written as text in both kinds of file.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none.
    pub fn text_real(&mut self, what: &str) -> Result<f64> {
        self.next_word()?;
        let value = std::str::from_utf8(&self.word).ok().and_then(|w| w.parse::<f64>().ok());
        value.ok_or_else(|| self.fault(format!("expected {what} (a number), found {}", self.show())))
    }

    /// A name in double quotes.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none.
    pub fn text_name(&mut self) -> Result<String> {
        self.skip_space()?;
        if self.peek()? != Some(b'"') {
            self.next_word()?;
            return Err(self.fault(format!("expected a name in double quotes, found {}", self.show())));
        }
        self.at += 1;
        let mut name = Vec::new();
        loop {
            match self.peek()? {
                Some(b'"') => break,
                Some(byte) if byte != b'\n' && name.len() < LONGEST_NAME => {
                    name.push(byte);
                    self.at += 1;
                }
                _ => return Err(self.fault("a name has no closing quote")),
            }
        }
        self.at += 1;
        String::from_utf8(name).map_err(|_| self.fault("a name is not valid UTF-8"))
    }

    fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        self.mark();
        let mut bytes = [0; N];
        if let Some(slice) = self.buffer.get(self.at..self.at + N) {
            bytes.copy_from_slice(slice);
            self.at += N;
        } else {
            for place in &mut bytes {
                let Some(byte) = self.peek()? else {
                    return Err(self.fault(format!("expected {what}, found the end of the file")));
                };
                *place = byte;
                self.at += 1;
            }
        }
        if self.swap {
            bytes.reverse();
        }
        Ok(bytes)
    }

    /// Goes to the byte after the line's end: binary data begin there.
    ///
    /// # Errors
    /// [`Error::Input`] when the line does not end here.
    pub fn start_binary(&mut self) -> Result<()> {
        self.mark();
        while let Some(byte) = self.peek()? {
            self.step(byte);
            match byte {
                b'\n' => return Ok(()),
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
        }
        Err(self.fault("expected the end of the line before binary data"))
    }

    /// A 4-byte integer (binary) or an integer.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none.
    pub fn int(&mut self, what: &str) -> Result<i64> {
        if self.binary {
            Ok(i64::from(i32::from_ne_bytes(self.bytes(what)?)))
        } else {
            self.text_integer(what)
        }
    }

    /// An 8-byte unsigned integer (binary) or an integer that is not negative.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none.
    pub fn size(&mut self, what: &str) -> Result<u64> {
        if self.binary {
            return Ok(u64::from_ne_bytes(self.bytes(what)?));
        }
        let value = self.text_integer(what)?;
        u64::try_from(value).map_err(|_| self.fault(format!("{what} is negative: {value}")))
    }

    /// An 8-byte floating-point number (binary) or a number.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none.
    pub fn real(&mut self, what: &str) -> Result<f64> {
        if self.binary { Ok(f64::from_ne_bytes(self.bytes(what)?)) } else { self.text_real(what) }
    }

    /// Accepts a count read from the file if so many things, each of at least `numbers` numbers, can
    /// still follow: so a memory request is never larger than a small multiple of the file.
    ///
    /// # Errors
    /// [`Error::Input`] when the file is too short for them.
    pub fn count(&self, count: u64, numbers: u64, what: &str) -> Result<usize> {
        let rest = self.length.saturating_sub(self.offset());
        let least = numbers.max(1) * if self.binary { 4 } else { 2 };
        // The last number of an ASCII file needs no white space behind it.
        if count.saturating_mul(least) > rest.saturating_add(1) {
            return Err(
                self.fault(format!("claims {count} {what}, but only {rest} bytes follow in the file"))
            );
        }
        Ok(count as usize)
    }
}
