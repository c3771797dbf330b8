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

/// A heated rod, whose certified model has no windows.
const WINDOWS: &str = r#"mesh.box = { cell = "interval", cells = [8] }

[[physics]]
model = "diffusion"
conductivity = 1.0
boundary = [{ marker = "left", value = 1.0 }]

[rom]
windows = 3
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
        files: vec![("deck.toml", Content::Text(WINDOWS.into()))],
        ranks,
        ..case(
            name,
            command,
            "",
            "deck.toml:9:11: rom.windows: windows are of the steps of problems in time: there is no section [time]",
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
        unreduced("trained in windows of no time", train, 2),
        unreduced("checked for windows of no time", ["check", "deck.toml"], 1),
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
