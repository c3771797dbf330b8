//! Tables of samples, datasets and reduced models that are missing or something else.
use super::{Case, Content};

const DECK: &str = r#"mesh.box = { cell = "interval", cells = [8] }
parameters = { h = { default = 1.0, range = [0.5, 2.0] }, k = 3 }

[[physics]]
name = "heat"
model = "diffusion"
source = "h"
boundary = [{ marker = "left", value = "k" }]

[campaign]
design = "list"
csv = "samples.csv"
"#;

/// Transport has no reduced model.
const TRANSPORT: &str = r#"mesh.box = { cell = "interval", cells = [8] }

[[physics]]
model = "advection_diffusion"
diffusivity = 1.0
velocity = [1.0]
boundary = [{ marker = "left", value = 1.0 }]

[rom]
modes = 3
"#;

fn case(name: &'static str, command: [&'static str; 2], samples: &str, message: &str) -> Case {
    Case {
        name,
        files: vec![
            ("deck.toml", Content::Text(DECK.into())),
            ("samples.csv", Content::Text(samples.into())),
        ],
        command,
        arguments: Vec::new(),
        ranks: 2,
        code: 2,
        messages: vec![message.into()],
    }
}

pub fn cases() -> Vec<Case> {
    let unreduced = |name, command, ranks| Case {
        files: vec![("deck.toml", Content::Text(TRANSPORT.into()))],
        ranks,
        ..case(
            name,
            command,
            "",
            "deck.toml:4:9: physics[0].model: there is no reduced model of \"advection_diffusion\", a physics of the model \
             advection_diffusion: its equation is not symmetric; steady diffusion and elasticity have one",
        )
    };
    let (campaign, train) = (["campaign", "deck.toml"], ["train", "deck.toml"]);
    let network = |name, text: String, message: &str| Case {
        files: vec![("deck.toml", Content::Text(text))],
        ..case(name, ["learn", "deck.toml"], "", message)
    };
    let plain = DECK.split("\n[campaign]").next().unwrap_or_default();
    vec![
        network("a deck without a network", plain.into(), "deck.toml:1:1: experts.network: missing"),
        network(
            "a first step of nothing in training",
            format!(
                "time = {{ end = 1, step = 0.1 }}\nexperts.network = {{ functions = 2, time = {{ first = 0 }} }}\n{plain}"
            ),
            "deck.toml:2:53: experts.network.time.first: expected a number above 0, found 0",
        ),
        network(
            "a misspelt key of a network",
            format!("experts.network = {{ function = 2 }}\n{plain}"),
            "deck.toml:1:21: experts.network.function: unknown key; did you mean \"functions\"?",
        ),
        Case {
            files: vec![("deck.toml", Content::Text(DECK.into()))],
            ..case("no table", campaign, "", "samples.csv: cannot read the samples: ")
        },
        case(
            "unknown column",
            campaign,
            "a,h\n1,2\n",
            "samples.csv: there is no parameter \"a\"; did you mean \"h\"?",
        ),
        case(
            "row too long",
            campaign,
            "h\n1,2\n",
            "samples.csv:2:1: 2 values, but the first line names 1 parameters",
        ),
        case("word for a number", campaign, "h\n1\nx\n", "samples.csv:3:1: `x` is no number"),
        Case {
            arguments: vec![
                "--set",
                "campaign={ design = \"random\" }",
                "--set",
                "parameters.h={ default = 1 }",
            ],
            ..case(
                "nothing to vary",
                campaign,
                "",
                "--set campaign={ design = \"random\" }: campaign: no parameter has a `range` or `choices`",
            )
        },
        unreduced("trained without a reduced model", train, 2),
        unreduced("checked without a reduced model", ["check", "deck.toml"], 1),
        case("no dataset", train, "", "out/dataset.h5: cannot open: "),
        Case {
            arguments: vec!["--dataset", "samples.csv"],
            ranks: 4,
            ..case("another kind of dataset", train, "h\n1\n", "samples.csv: cannot open: not an HDF5 file")
        },
        case("no model", ["predict", "model.h5"], "", "model.h5: cannot open: "),
        case(
            "another kind of model",
            ["predict", "deck.toml"],
            "",
            "deck.toml: cannot open: not an HDF5 file",
        ),
    ]
}
