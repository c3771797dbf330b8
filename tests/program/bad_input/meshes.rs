//! Gmsh files that are broken, or that do not go with the deck.
use super::{Case, Content, edited};

const DECK: &str = r#"[mesh]
file = "mesh.msh"

[[physics]]
name = "heat"
model = "diffusion"

[[physics.boundary]]
marker = "left"
value = 0.0
"#;

/// Two squares cut into four triangles, format 2.2.
const MESH: &str = "$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
2
1 1 \"left\"
2 2 \"body\"
$EndPhysicalNames
$Nodes
6
1 0 0 0
2 1 0 0
3 1 1 0
4 0 1 0
5 2 0 0
6 2 1 0
$EndNodes
$Elements
5
1 1 2 1 1 4 1
2 2 2 2 1 1 2 3
3 2 2 2 1 1 3 4
4 2 2 2 1 2 5 6
5 2 2 2 1 2 6 3
$EndElements
";

/// One of the two parts that Gmsh wrote of a partitioned square, format 4.1.
const PART: &str = "$MeshFormat
4.1 0 8
$EndMeshFormat
$Entities
0 0 1 0
1 0 0 0 1 1 0 0 0
$EndEntities
$PartitionedEntities
2
0
0 0 2 0
2 2 1 1 1 0 0 0 1 1 0 0 0
3 2 1 1 2 0 0 0 1 1 0 0 0
$EndPartitionedEntities
$Nodes
1 3 1 3
2 2 0 3
1
2
3
0 0 0
1 0 0
1 1 0
$EndNodes
$Elements
1 1 1 1
2 2 2 1
1 1 2 3
$EndElements
";

fn case(name: &'static str, edits: &[(&str, &str)], message: &str) -> Case {
    Case {
        name,
        files: vec![
            ("deck.toml", Content::Text(DECK.into())),
            ("mesh.msh", Content::Text(edited(MESH, edits))),
        ],
        command: ["run", "deck.toml"],
        arguments: Vec::new(),
        ranks: 2,
        code: 2,
        messages: vec![message.into()],
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            files: vec![("deck.toml", Content::Text(DECK.into()))],
            ..case("no mesh file", &[], "mesh.msh: cannot be read: ")
        },
        Case {
            files: vec![
                ("deck.toml", Content::Text(DECK.into())),
                ("mesh.msh", Content::Bytes((0..4000u32).map(|i| (i * 7919 % 251) as u8).collect())),
            ],
            ..case("noise", &[], "mesh.msh:1:1: expected the start of a section ($...), found")
        },
        case(
            "another version",
            &[("2.2 0 8", "1.0 0 8")],
            "mesh.msh:2:1: format 1 is not supported: save the mesh as 4.1 or 2.2 (gmsh -format msh41)",
        ),
        Case {
            files: vec![("deck.toml", Content::Text(DECK.into())), ("mesh.msh", Content::Text(PART.into()))],
            ..case(
                "one part of a mesh",
                &[],
                "mesh.msh: holds only a part of a partitioned mesh: the cells of partition 1, not those of 2; save the mesh \
                 whole",
            )
        },
        case(
            "the second part of a mesh",
            &[
                ("2 2 2 2 1 1 2 3", "2 2 4 2 1 1 2 1 2 3"),
                ("3 2 2 2 1 1 3 4", "3 2 4 2 1 1 2 1 3 4"),
                ("4 2 2 2 1 2 5 6", "4 2 4 2 1 1 2 2 5 6"),
                ("5 2 2 2 1 2 6 3", "5 2 4 2 1 1 2 2 6 3"),
            ],
            "mesh.msh: holds only a part of a partitioned mesh: the cells of partition 2, not those of the others",
        ),
        Case {
            files: vec![
                ("deck.toml", Content::Text(DECK.into())),
                ("mesh.msh", Content::Text("*HEADING\n*NODE\n1, 0.0, 0.0\n".into())),
            ],
            ..case(
                "a mesh of another program",
                &[],
                "mesh.msh: is no Gmsh mesh of format 4.1 or 2.2 but an Abaqus file",
            )
        },
        case(
            "fewer nodes than said",
            &[("$Nodes\n6", "$Nodes\n7")],
            "mesh.msh:17:1: expected a node number (an integer), found \"$EndNodes\"",
        ),
        case(
            "a count without end",
            &[("$Nodes\n6", "$Nodes\n600000000000")],
            "mesh.msh:10:1: claims 600000000000 nodes, but only",
        ),
        case(
            "text for a coordinate",
            &[("3 1 1 0", "3 1 one 0")],
            "mesh.msh:13:5: expected y (a number), found \"one\"",
        ),
        case(
            "coordinate not finite",
            &[("3 1 1 0", "3 1 nan 0")],
            "mesh.msh:13:5: the coordinate y of a node is NaN",
        ),
        case(
            "unknown node",
            &[("4 2 2 2 1 2 5 6", "4 2 2 2 1 2 5 9")],
            "mesh.msh: element 4 refers to node 9, which is not defined",
        ),
        case("node twice", &[("6 2 1 0", "5 2 1 0")], "mesh.msh: defines the node 5 twice"),
        case(
            "cell without volume",
            &[("5 2 0 0", "5 1.5 0.5 0")],
            "mesh.msh: element 4 (triangle) has no volume",
        ),
        case(
            "nodes at one place",
            &[("6 2 1 0", "6 1 1 0")],
            "mesh.msh: nodes 3 and 6 lie at the same place (1, 1, 0)",
        ),
        case(
            "cell twice",
            &[("5 2 2 2 1 2 6 3", "5 2 2 2 1 2 5 6")],
            "mesh.msh: elements 4 and 5 are the same cell",
        ),
        case("mesh that is not plane", &[("6 2 1 0", "6 2 1 0.5")], "mesh.msh: is a 2D mesh with varying z"),
        case(
            "two shapes of cells",
            &[("5 2 2 2 1 2 6 3", "5 3 2 2 1 2 5 6 3")],
            "mesh.msh: mixes shapes of cells, which must all be of one: 3 of shape triangle",
        ),
        case(
            "marker that is not there",
            &[("\"left\"", "\"right\"")],
            "deck.toml:9:10: physics[0].boundary[0].marker: no facet marker \"left\" in mesh.msh",
        ),
        case(
            "end too early",
            &[("5 2 2 2 1 2 6 3\n$EndElements\n", "")],
            "mesh.msh:24:1: expected an element number (an integer), found the end of the file",
        ),
        Case {
            ranks: 4,
            ..case(
                "unknown node",
                &[("4 2 2 2 1 2 5 6", "4 2 2 2 1 2 5 8")],
                "mesh.msh: element 4 refers to node 8, which is not defined",
            )
        },
        Case {
            files: vec![
                ("deck.toml", Content::Text(DECK.replace("mesh.msh", "mesh.vtk"))),
                ("mesh.vtk", Content::Text(MESH.into())),
            ],
            ..case(
                "another ending",
                &[],
                "deck.toml:2:8: mesh.file: a mesh file ends in .msh (Gmsh) or .h5 (Tessera)",
            )
        },
        Case {
            files: vec![
                ("deck.toml", Content::Text(DECK.replace("\"mesh.msh\"", "\"mesh.msh\"\nscale = 0"))),
                ("mesh.msh", Content::Text(MESH.into())),
            ],
            ..case("scale zero", &[], "deck.toml:3:9: mesh.scale: expected a number above 0, found 0")
        },
    ]
}
