//! Runs of decks inside the test, and that the answer does not depend on the number of ranks.
use crate::common::with_folder;
use crate::common::decks::quiet;
use std::collections::HashMap;
use tessera::deck::Deck;
use tessera::drivers::run::run;
use tessera::parallel::Comm;
use tessera::storage::Reader;

/// What a run wrote.
pub struct Outcome {
    /// Quantities of interest at every frame.
    pub quantities: HashMap<String, Vec<f64>>,
    /// Columns of the log of steps.
    pub steps: HashMap<String, Vec<f64>>,
    /// First field at every frame.
    pub frames: Vec<Vec<f64>>,
    /// Positions of the nodes, `dimension` numbers each.
    pub points: Vec<f64>,
}

impl Outcome {
    /// The last value of a quantity.
    pub fn last(&self, name: &str) -> f64 {
        *self.quantities[name].last().unwrap()
    }

    /// The field at the end.
    pub fn end(&self) -> &[f64] {
        self.frames.last().unwrap()
    }

    /// Largest relative error of the balance of a step.
    pub fn worst_balance(&self) -> f64 {
        let size = self.steps["conserved"].iter().fold(0.0f64, |m, v| m.max(v.abs()));
        self.steps["imbalance"].iter().fold(0.0f64, |m, v| m.max(v.abs())) / size
    }

    /// Sum of a column.
    pub fn total(&self, column: &str) -> f64 {
        self.steps[column].iter().sum()
    }
}

/// Runs a deck on all ranks. Collective.
pub fn simulate(comm: &Comm, text: &str) -> Outcome {
    try_simulate(comm, text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// As [`simulate`], for runs that may fail.
pub fn try_simulate(comm: &Comm, text: &str) -> tessera::Result<Outcome> {
    let mut result = None;
    with_folder(comm, |folder| {
        let mut deck = Deck::parse(text, "test", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
        deck.output.directory = folder.into();
        deck.output.xdmf = false;
        let options = quiet();
        let outcome = run(comm, &deck, &options);
        comm.barrier();
        result = Some(outcome.map(|()| read(&folder.join("run.h5"), deck.physics[0].field())));
    });
    result.unwrap()
}

fn read(path: &std::path::Path, field: &str) -> Outcome {
    let reader = Reader::open(path).unwrap();
    let quantities = reader.members("/qoi").into_iter();
    let quantities = quantities.map(|n| (n.clone(), reader.array(&format!("/qoi/{n}")).unwrap().1)).collect();
    let mut steps = HashMap::new();
    if reader.exists("/log/steps") {
        let columns = reader.texts("/log/steps", "columns").unwrap();
        let table: Vec<f64> = reader.array("/log/steps").unwrap().1;
        for (i, column) in columns.iter().enumerate() {
            steps.insert(column.clone(), table.iter().skip(i).step_by(columns.len()).copied().collect());
        }
    }
    let path = format!("/fields/{field}");
    let count = if reader.exists(&path) { reader.shape(&path).unwrap()[0] } else { 0 };
    let frames = (0..count).map(|k| reader.step(&path, k).unwrap()).collect();
    let points = match reader.get(&path, "degree") {
        Ok(Some(degree)) if degree.to_string() == "2" => reader.array("/spaces/2/coordinates").unwrap().1,
        _ => reader.array("/mesh/geometry").unwrap().1,
    };
    Outcome { quantities, steps, frames, points }
}

/// `[mesh]` of a box with one number of cells along all axes, from `low` to `high`.
pub fn mesh(cell: &str, n: usize, low: f64, high: f64) -> String {
    let dimension = match cell {
        "interval" => 1,
        "triangle" | "quadrilateral" => 2,
        _ => 3,
    };
    let list = |v: String| vec![v; dimension].join(", ");
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{}], lower = [{}], upper = [{}] }}\n",
        list(n.to_string()),
        list(format!("{low:?}")),
        list(format!("{high:?}"))
    )
}

/// `[[exact]]` with the L2 error as quantity `l2`.
pub fn exact(value: &str) -> String {
    format!("[[exact]]\nvalue = {value}\n[[quantity]]\nname = \"l2\"\nkind = \"l2_error\"\n")
}

/// Each rank takes its share of a list and a communicator of its own.
pub fn share<T>(world: &Comm, list: impl IntoIterator<Item = T>) -> (Comm, Vec<T>) {
    let mine = list.into_iter().enumerate().filter(|(i, _)| i % world.size() == world.rank());
    (group(world, world.rank()).expect("every rank has a colour"), mine.map(|(_, item)| item).collect())
}

/// The ranks of one colour.
pub fn group(world: &Comm, colour: usize) -> Option<Comm> {
    use mpi::traits::Communicator;
    world.mpi().split_by_color(mpi::topology::Color::with_value(colour as i32)).map(Comm::new)
}

/// Prints on the first rank.
pub fn say(comm: &Comm, text: String) {
    if comm.rank() == 0 {
        println!("    {text}");
    }
}

/// Numbers with two digits.
pub fn list(values: &[f64]) -> String {
    values.iter().map(|v| format!("{v:.1e}")).collect::<Vec<_>>().join(", ")
}

/// Observed order of a sequence of errors of halved sizes, of the last pair.
pub fn order(errors: &[f64]) -> f64 {
    let n = errors.len();
    (errors[n - 2] / errors[n - 1]).log2()
}

/// A deck of every model, small and in two dimensions unless the model says otherwise.
pub fn models() -> Vec<(&'static str, String)> {
    let square = |n| mesh("triangle", n, 0.0, 1.0);
    let time = "[time]\nend = 0.1\nstep = 0.02\n[output]\nframes = 1\n";
    let hill = "[[initial]]\nvalue = \"exp(-20*((x-0.4)^2 + (y-0.5)^2))\"\n";
    let walls = "boundary = [{ marker = [\"left\", \"right\"], value = 0 }]\n";
    let scalar = |keys: &str| format!("{}{time}[[physics]]\n{keys}\n{walls}{hill}", square(12));
    vec![
        ("diffusion", scalar("model = \"diffusion\"\ndegree = 2")),
        (
            "advection_diffusion",
            scalar("model = \"advection_diffusion\"\ndiffusivity = 1e-3\nvelocity = [\"1 + y\", 0.3]"),
        ),
        (
            "burgers",
            format!(
                "{}{time}[[physics]]\nmodel = \"burgers\"\nviscosity = 0.02\n{walls}\
                 [[initial]]\nvalue = [\"sin(pi*x)\", \"x*y\"]\n",
                square(12)
            ),
        ),
        ("diffusion_sorption", scalar("model = \"diffusion_sorption\"\ndiffusivity = 0.1")),
        ("porous_medium", scalar("model = \"porous_medium\"\nexponent = 2")),
        (
            "stefan",
            scalar("model = \"porous_medium\"\nstefan = { below = 0.05, above = 1, threshold = 0.5 }"),
        ),
        (
            "helmholtz",
            format!(
                "{}[[physics]]\nmodel = \"helmholtz\"\nwave_number = 7\nsource = \"exp(-50*(x-0.3)^2)\"\n\
                 boundary = [{{ marker = [\"right\", \"top\"], absorbing = 7 }}]\n",
                square(12)
            ),
        ),
    ]
}

/// Every model gives the same field on any number of ranks.
pub fn ranks(world: &Comm) {
    let mut reference: Vec<Vec<f64>> = Vec::new();
    for size in 1..=world.size() {
        // The other ranks wait.
        let comm = group(world, usize::from(world.rank() < size)).unwrap();
        if world.rank() >= size {
            world.barrier();
            continue;
        }
        for (i, (name, text)) in models().into_iter().enumerate() {
            let run = simulate(&comm, &(text + "[solver]\ntolerance = 1e-12\n"));
            if size == 1 {
                reference.push(run.end().to_vec());
            } else if comm.rank() == 0 {
                let one = &reference[i];
                let largest = one.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                let worst = one.iter().zip(run.end()).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
                assert!(largest > 1e-3 && one.len() == run.end().len());
                assert!(worst < 1e-8 * largest, "{name}: {:e} between 1 rank and {size}", worst / largest);
            }
        }
        world.barrier();
    }
}
