//! What follows from a mesh and is computed once for all that use it at a time.
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// Things of any type that follow from a mesh and a key, such as the numbers of nodes of a degree. They live as long as
/// someone holds them: the mesh does not.
#[derive(Default)]
pub struct Shared(RefCell<Vec<Entry>>);

struct Entry {
    of: TypeId,
    key: [usize; 2],
    value: Weak<dyn Any>,
}

impl Shared {
    /// The `T` of this key that is in use, or else a new one from `make`. Collective if `make` is.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get<T: 'static, E>(
        &self,
        key: [usize; 2],
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Rc<T>, E> {
        let of = TypeId::of::<T>();
        let same = |entry: &&Entry| entry.of == of && entry.key == key;
        let found = self.0.borrow().iter().find(same).and_then(|entry| entry.value.upgrade());
        if let Some(Ok(value)) = found.map(Rc::downcast) {
            return Ok(value);
        }
        // Which may ask for other things that follow from this mesh.
        let value = Rc::new(make()?);
        let mut entries = self.0.borrow_mut();
        entries.retain(|entry| entry.value.strong_count() > 0);
        let any: Rc<dyn Any> = value.clone();
        entries.push(Entry { of, key, value: Rc::downgrade(&any) });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_in_use_is_made_once_for_each_key() {
        let (shared, made) = (Shared::default(), std::cell::Cell::new(0));
        let get = |key| {
            let make = || {
                made.set(made.get() + 1);
                Ok::<_, ()>(made.get())
            };
            shared.get(key, make).unwrap()
        };
        let (first, other) = (get([1, 0]), get([2, 0]));
        assert_eq!((*first, *other, *get([1, 0]), *get([2, 0])), (1, 2, 1, 2));
        assert!(Rc::ptr_eq(&first, &get([1, 0])));
        drop(first);
        assert_eq!(*get([1, 0]), 3);
        let word = shared.get::<String, ()>([2, 0], || Ok("another type".into())).unwrap();
        assert_eq!((word.as_str(), *other), ("another type", 2));
    }
}
