//! PETSc's options database.
use crate::error::Result;
use crate::session::{Session, name, text, truth};
use petsc_sys::*;
use std::ptr::null_mut;
use std::vec::Vec;

/// The global options database. It is case-insensitive and shared by the whole process, so give every
/// object its own prefix. Not collective, but every rank must make the same changes.
pub struct Options {
    _session: Session,
}

impl Options {
    /// The database of the running PETSc.
    ///
    /// # Errors
    /// When PETSc is not initialised.
    pub fn global() -> Result<Self> {
        Ok(Self { _session: Session::current()? })
    }

    /// Sets one option. `option` starts with a dash; an empty value makes a flag.
    ///
    /// # Errors
    /// When PETSc refuses the name.
    pub fn set(&mut self, option: &str, value: &str) -> Result<()> {
        let (option, value) = (name(option)?, name(value)?);
        petsc!(PetscOptionsSetValue(null_mut(), option.as_ptr(), value.as_ptr()))
    }

    /// Removes one option.
    ///
    /// # Errors
    /// When PETSc refuses the name.
    pub fn clear(&mut self, option: &str) -> Result<()> {
        let option = name(option)?;
        petsc!(PetscOptionsClearValue(null_mut(), option.as_ptr()))
    }

    /// Sets every option of a command line's text, each name with `prefix` after its dash; returns the
    /// full names. Existing values stay unless `overwrite`.
    ///
    /// # Errors
    /// When a word that is neither an option nor a value stands in the text.
    pub fn insert(&mut self, prefix: &str, line: &str, overwrite: bool) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (option, value) in parse(line)? {
            let full = format!("-{prefix}{}", &option[1..]);
            if overwrite || self.get(&full)?.is_none() {
                self.set(&full, &value)?;
                names.push(full);
            }
        }
        Ok(names)
    }

    /// The value of an option (empty for a flag), or `None` when it is not set.
    ///
    /// # Errors
    /// When PETSc refuses the name.
    pub fn get(&self, option: &str) -> Result<Option<String>> {
        const LONGEST: usize = 4096;
        let option = name(option)?;
        let mut set = truth(false);
        petsc!(PetscOptionsHasName(null_mut(), std::ptr::null(), option.as_ptr(), &mut set))?;
        if set == truth(false) {
            return Ok(None);
        }
        let mut value = vec![0; LONGEST];
        petsc!(PetscOptionsGetString(
            null_mut(),
            std::ptr::null(),
            option.as_ptr(),
            value.as_mut_ptr(),
            LONGEST as _,
            &mut set
        ))?;
        Ok(Some(text(value.as_ptr())))
    }

    /// Options that nobody has asked for so far, as `(name, value)`: usually misspelt ones.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn unused(&self) -> Result<Vec<(String, String)>> {
        let (mut count, mut names, mut values) = (0, null_mut(), null_mut());
        petsc!(PetscOptionsLeftGet(null_mut(), &mut count, &mut names, &mut values))?;
        let list = (0..count as usize)
            // SAFETY: PETSc gives `count` strings of each.
            .map(|i| unsafe { (text(*names.add(i)), text(*values.add(i))) })
            .collect();
        petsc!(PetscOptionsLeftRestore(null_mut(), &mut count, &mut names, &mut values))?;
        Ok(list)
    }
}

/// Splits `-a 1 -b -c x` into pairs. A word that starts with a dash and no digit is an option.
fn parse(line: &str) -> Result<Vec<(String, String)>> {
    let is_option = |word: &str| {
        word.len() > 1
            && word.starts_with('-')
            && !word[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-')
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in line.split_whitespace() {
        match pairs.last_mut() {
            _ if is_option(word) => pairs.push((word.to_string(), String::new())),
            Some((_, value)) if value.is_empty() => *value = word.to_string(),
            _ => {
                return Err(crate::Error::argument(format!(
                    "\"{word}\" in the options \"{line}\" follows no option; options look like -ksp_rtol 1e-8"
                )));
            }
        }
    }
    Ok(pairs)
}
