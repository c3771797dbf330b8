//! Entries of PETSc's options database that belong to one solver.
use petsc_rs::{Options, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Full names and values.
type Entries = Rc<Vec<(String, String)>>;

thread_local! {
    /// For each prefix, the entries of the solver whose turn it is.
    static ACTIVE: RefCell<HashMap<String, Entries>> = RefCell::default();
}

/// A solver's own options. They stay in the database, because inner solvers read theirs at set-up, but
/// two solvers of the same prefix may live at the same time (a problem's own, and that of its energy norm):
/// each sees what the user set and its own, not the other's.
pub struct OwnOptions {
    prefix: String,
    entries: Entries,
}

impl OwnOptions {
    /// For the solver with this prefix, whose options `set` sets, returning the full names of those that the
    /// user had not set; while it runs and after, no other solver's options are in the database. Collective.
    ///
    /// # Errors
    /// When PETSc refuses an option.
    pub fn new(prefix: String, set: impl FnOnce() -> Result<Vec<String>>) -> Result<Self> {
        let former = ACTIVE.with_borrow_mut(|active| active.remove(&prefix));
        let mut options = Options::global()?;
        former.iter().flat_map(|list| list.iter()).try_for_each(|(option, _)| options.clear(option))?;
        let mut entries = Vec::new();
        for option in set()? {
            let value = options.get(&option)?.unwrap_or_default();
            entries.push((option, value));
        }
        let entries = Rc::new(entries);
        ACTIVE.with_borrow_mut(|active| active.insert(prefix.clone(), entries.clone()));
        Ok(Self { prefix, entries })
    }

    /// Makes sure that the database has these options and not those of another solver: call it before a
    /// set-up. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn activate(&self) -> Result<()> {
        ACTIVE.with_borrow_mut(|active| {
            if active.get(&self.prefix).is_some_and(|entries| Rc::ptr_eq(entries, &self.entries)) {
                return Ok(());
            }
            let mut options = Options::global()?;
            if let Some(other) = active.insert(self.prefix.clone(), self.entries.clone()) {
                other.iter().try_for_each(|(option, _)| options.clear(option))?;
            }
            self.entries.iter().try_for_each(|(option, value)| options.set(option, value))
        })
    }
}

impl Drop for OwnOptions {
    fn drop(&mut self) {
        ACTIVE.with_borrow_mut(|active| {
            if active.get(&self.prefix).is_some_and(|entries| Rc::ptr_eq(entries, &self.entries)) {
                active.remove(&self.prefix);
                if let Ok(mut options) = Options::global() {
                    self.entries.iter().for_each(|(option, _)| drop(options.clear(option)));
                }
            }
        });
    }
}
