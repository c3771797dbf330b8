//! The kernels that are compiled for vector instructions and for a known number of basis functions, and those for any
//! machine and any number, give the same: all forms, dimensions and elements, on cells that share no node.
mod common;

use common::{Add, Case, ELEMENTS, for_all_forms, laws};

/// Compares two kernels on the elements of a dimension.
fn compare(name: &str, dimension: usize, facets: bool, sizes: [usize; 3], adds: [&Add; 2]) {
    for &(functions, simplex) in ELEMENTS[dimension - 1] {
        let case = Case::new(dimension, functions, simplex, facets, sizes);
        let [one, other] = adds.map(|add| case.run(sizes[0], add));
        for (what, (a, b)) in ["matrix", "load"].iter().zip(one.iter().zip(&other)) {
            let size = a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let apart = a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            let about = format!("{name}, {dimension}D, {functions} functions, {what}: {apart:e} of {size:e}");
            assert!(size.is_finite() && apart <= 1e-12 * size, "{about}");
            assert!(size > 0.0 || facets, "nothing to compare: {about}");
        }
    }
}

#[test]
fn forms_do_not_depend_on_the_machine() {
    for_all_forms(|name, dimension, form, facets| {
        let sizes = [form.components(), form.coefficients(), form.history()];
        let adds: [&Add; 2] = [&|job, part| form.add(job, part), &|job, part| form.add_portably(job, part)];
        compare(name, dimension, facets, sizes, adds);
    });
}

#[test]
fn laws_give_their_forms_all_coefficients() {
    for (name, dimension, law) in laws() {
        let (volume, boundary) = law.forms.of(dimension);
        assert_eq!(law.coefficients.len(), volume.coefficients(), "{name} in {dimension}D");
        assert_eq!(law.surface.len(), boundary.coefficients(), "{name} in {dimension}D");
        assert!(law.local <= law.coefficients.len());
    }
}
