//! What a file is that does not begin as Gmsh's do: many programs call theirs `.msh`.
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// So much of a file says what it is.
const HEAD: u64 = 4096;

/// The kind of a file with what to do about it; `None` when it looks like nothing known.
pub(super) fn name(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    let length = std::fs::metadata(path).ok()?.len();
    if head.iter().all(u8::is_ascii_whitespace) && length <= HEAD {
        return Some("is empty: a Gmsh file starts with $MeshFormat".into());
    }
    let advice = match binary(&head, length).or_else(|| text(&String::from_utf8_lossy(&head)))? {
        (kind, "") => {
            format!("{kind}: convert it to Gmsh's format 4.1 or 2.2, for instance with meshio or Gmsh")
        }
        (kind, advice) => format!("{kind}: {advice}"),
    };
    Some(format!("is no Gmsh mesh of format 4.1 or 2.2 but {advice}"))
}

/// Kinds that are told by their first bytes.
fn binary(head: &[u8], length: u64) -> Option<(&'static str, &'static str)> {
    let kinds: [(&[u8], _, _); 6] = [
        (b"\x89HDF", "an HDF5 file", "one that Tessera wrote ends in .h5; convert others to Gmsh's format"),
        (b"CDF", "a netCDF file (Exodus)", ""),
        (b"\x1f\x8b", "a compressed file (gzip)", "unpack it with gunzip"),
        (b"PK\x03\x04", "a compressed file (zip)", "unpack it with unzip"),
        (b"\xef\xbb\xbf", "a text with a byte-order mark", "save it as UTF-8 without one"),
        (b"\xff\xfe", "a text in UTF-16", "save it as UTF-8"),
    ];
    if let Some((_, kind, advice)) = kinds.into_iter().find(|(start, _, _)| head.starts_with(start)) {
        return Some((kind, advice));
    }
    // 80 bytes of anything, the number of triangles, 50 bytes each.
    let count = u32::from_le_bytes(head.get(80..84)?.try_into().ok()?);
    (length == 84 + 50 * u64::from(count)).then_some(STL)
}

const STL: (&str, &str) =
    ("a surface of triangles (STL)", "fill it with cells in Gmsh: Merge it, then mesh the volume");

/// Kinds of text.
fn text(head: &str) -> Option<(&'static str, &'static str)> {
    let lines = || head.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines().next()?;
    let upper = first.to_ascii_uppercase();
    let starts = |words: &[&str]| words.iter().any(|word| upper.starts_with(word));
    let any = |test: &dyn Fn(&str) -> bool| lines().any(test);
    // Lines of comments before whatever follows.
    let comment = |line: &str| ["//", "#", "!", "%", "/*"].iter().any(|mark| line.starts_with(mark));
    let integers =
        |line: &str| -> Option<Vec<i64>> { line.split_whitespace().map(|w| w.parse().ok()).collect() };
    let geometry = |line: &str| {
        ["Point(", "Line(", "SetFactory(", "Merge ", "Include ", "lc ", "Mesh."]
            .iter()
            .any(|w| line.starts_with(w))
    };
    Some(if starts(&["$NOD", "$NOE"]) {
        ("a mesh in Gmsh's format 1", "save it as 4.1 or 2.2 (gmsh -save -format msh41)")
    } else if starts(&["*HEADING", "*NODE", "*PART", "*INCLUDE", "**"]) {
        ("an Abaqus file (*HEADING, *NODE)", "")
    } else if starts(&["MESHVERSIONFORMATTED", "MESHVERSIONUNFORMATTED"]) {
        ("a Medit mesh (MeshVersionFormatted)", "")
    } else if starts(&["# VTK DATAFILE"]) || head.contains("<VTKFile") {
        ("a VTK file", "")
    } else if starts(&["SOLID "]) && head.to_ascii_lowercase().contains("facet") {
        STL
    } else if starts(&["<?XML"]) {
        ("an XML file (of an old FEniCS?)", "")
    } else if starts(&["NDIME="]) || starts(&["%"]) && any(&|line| line.starts_with("NDIME")) {
        ("an SU2 mesh (NDIME)", "")
    } else if starts(&["(0 ", "(1 ", "(2 "]) {
        ("a Fluent mesh", "convert it to Gmsh's format 4.1 or 2.2, for instance with meshio")
    } else if starts(&["MESH "]) && upper.contains("DIMENSION") {
        ("a GiD mesh", "")
    } else if starts(&["# CREATED BY COMSOL"]) {
        ("a COMSOL mesh", "")
    } else if starts(&["OFF", "PLY"]) && first.len() == 3 {
        ("a surface (OFF or PLY)", "fill it with cells in Gmsh")
    } else if starts(&["MESH3D", "DIM:"]) {
        ("a Netgen mesh", "export it in Gmsh's format")
    } else if any(&|line| {
        ["BEGIN BULK", "GRID ", "GRID,", "GRID*", "CEND"].iter().any(|w| line.starts_with(w))
    }) {
        ("a Nastran file (GRID)", "")
    } else if first == "-1" && lines().nth(1).and_then(integers).is_some_and(|list| list.len() == 1) {
        ("a universal file (I-DEAS, .unv)", "")
    } else if integers(first).is_some_and(|list| list.len() == 3 && list.iter().all(|&n| n >= 0)) {
        ("a FreeFem mesh", "write it with savegmsh, or as Medit's format and convert that")
    } else if any(&geometry) {
        ("a Gmsh geometry (.geo)", "mesh it first (gmsh -3 -format msh41)")
    } else if comment(first) && head.contains("$MeshFormat") {
        (
            "one with comments before it",
            "leave them out, or put them into a section $Comments ... $EndComments",
        )
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn other_programs_files_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let of = |bytes: &[u8]| {
            let path = folder.path().join("a.msh");
            std::fs::write(&path, bytes).unwrap();
            name(&path)
        };
        let mut stl = [0u8; 184];
        stl[80] = 2;
        for (text, words) in [
            (&b"$NOD\n1\n1 0 0 0\n$ENDNOD\n"[..], "Gmsh's format 1"),
            (b"*HEADING\n*NODE\n1, 0, 0\n", "Abaqus"),
            (b"** from a CAD program\n*Node\n1, 0, 0\n", "Abaqus"),
            (b"MeshVersionFormatted 2\nDimension 3\n", "Medit"),
            (b"# vtk DataFile Version 3.0\n", "VTK"),
            (b"<?xml version=\"1.0\"?>\n<VTKFile>\n", "VTK"),
            (b"<?xml version=\"1.0\"?>\n<dolfin>\n", "XML"),
            (b"solid part\n facet normal 0 0 1\n", "STL"),
            (&stl, "STL"),
            (b"$ a comment\nSOL 101\nCEND\nBEGIN BULK\n", "Nastran"),
            (b"GRID,1,,0.,0.,0.\n", "Nastran"),
            (b"    -1\n  2411\n 1 1 1 1\n", "universal"),
            (b"4 2 4\n0 0 1\n1 0 1\n", "FreeFem"),
            (b"(0 \"GAMBIT to Fluent File\")\n", "Fluent"),
            (b"MESH dimension 3 ElemType Tetrahedra Nnode 4\n", "GiD"),
            (b"% a mesh\nNDIME= 2\n", "SU2"),
            (b"// a plate\nPoint(1) = {0, 0, 0};\n", "geometry"),
            (b"// a plate\n$MeshFormat\n2.2 0 8\n", "$Comments"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (b"\x1f\x8b\x08", "gunzip"),
            (b"\xef\xbb\xbf$MeshFormat\n", "byte-order mark"),
            (b" \n", "empty"),
        ] {
            let found = of(text).unwrap_or_default();
            assert!(found.contains(words), "{}: {found}", String::from_utf8_lossy(text));
        }
        assert_eq!(of(b"something else\n"), None);
        assert_eq!(of(&(0..4000u32).map(|i| (i * 7919 % 251) as u8).collect::<Vec<_>>()), None);
    }
}
