//! Clusters of training trajectories: whether there are any, and what speaks for them.
use crate::Result;
use crate::deck::{ClusterCount, ClusterWord};
use crate::report::{Report, Table};
use crate::rom::sampled::{Clusters, LEAST, SampledOptions, Samples, cluster};
use crate::simulation::Simulation;
use crate::storage::ResultFile;

/// The clusters that a deck asks for; all samples in one if it asks for none. Collective.
///
/// # Errors
/// When there are too few samples for so many clusters.
pub(super) fn find(
    simulation: &mut Simulation,
    samples: Samples,
    options: &SampledOptions,
    report: &Report,
) -> Result<Clusters> {
    let count = samples.which.len();
    let one = Clusters {
        medoids: Vec::new(),
        members: vec![samples.which.to_vec()],
        criteria: Vec::new(),
        modes: Vec::new(),
    };
    let wanted = match simulation.deck.rom.clusters {
        ClusterCount::Number(1) => return Ok(one),
        ClusterCount::Number(number) => Some(number),
        ClusterCount::Word(ClusterWord::Auto) => None,
    };
    if let Some(flow) = simulation.stages.iter().find(|stage| stage.problem.facts().pressure) {
        let name = &flow.problem.name;
        report
            .line(format!("note       one cluster: the flow \"{name}\" has no indicator that could choose"));
        return Ok(one);
    }
    let least = LEAST * wanted.unwrap_or(2);
    if count < least {
        let text =
            format!("clusters have {LEAST} training samples at least: expected {least}, found {count}");
        if wanted.is_some() {
            return Err(simulation.deck.fault("rom.clusters", text));
        }
        report.line(format!("note       one cluster: {text}"));
        return Ok(one);
    }
    let found = cluster(simulation, samples, options, wanted)?;
    let mut table = Table::new(&["clusters", "trajectories", "median error", "worst"]);
    for one in &found.criteria {
        let sizes: Vec<String> = one.sizes.iter().map(usize::to_string).collect();
        table.row(&[
            one.sizes.len().to_string(),
            sizes.join(" + "),
            format!("{:.2e}", one.median),
            format!("{:.2e}", one.worst),
        ]);
    }
    let modes: Vec<String> = found.modes.iter().map(usize::to_string).collect();
    report.line(format!(
        "clusters of training trajectories: projection errors of trajectories left out in turn, on the best basis of {} modes",
        modes.join(" and ")
    ));
    report.table(&table);
    let number = found.members.len();
    report.line(match wanted {
        Some(_) => format!("{number} clusters, as the deck says"),
        None if number > 1 => {
            format!("{number} clusters: the median is 0.6 of that of one at most, the worst no larger")
        }
        None => {
            "one cluster: with several the median is above 0.6 of that of one, or the worst is larger".into()
        }
    });
    Ok(found)
}

/// Prints which cluster gave how many predictions, and writes which gave each. Collective.
///
/// # Errors
/// [`crate::Error::Storage`] when HDF5 or the file system refuses.
pub(super) fn tell(report: &Report, file: &ResultFile, number: usize, chosen: &[usize]) -> Result<()> {
    if number < 2 {
        return Ok(());
    }
    let count = |cluster: usize| chosen.iter().filter(|&&own| own == cluster).count();
    let list: Vec<String> =
        (0..number).map(|cluster| format!("{} of cluster {cluster}", count(cluster))).collect();
    report.line(format!("predictions with the least indicator: {}", list.join(", ")));
    let values: Vec<u64> = chosen.iter().map(|&cluster| cluster as u64).collect();
    file.write_array("/estimate/cluster", &[values.len() as u64], &values)?;
    file.set(
        "/estimate/cluster",
        "meaning",
        "cluster whose reduced model had the least indicator, by prediction",
    )
}
