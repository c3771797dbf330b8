//! `[[quantity]]` and `[campaign]`.
use super::super::spelling::did_you_mean;
use super::checker::Checker;
use crate::deck::sections::{Design, Frames};
use std::collections::HashSet;
use tessera_kernels::model::Motions;

impl Checker<'_> {
    pub(super) fn quantities(&mut self) {
        let deck = self.deck;
        let mut names = HashSet::new();
        for (i, quantity) in deck.quantity.iter().enumerate() {
            let key = |name: &str| format!("quantity[{i}].{name}");
            self.identifier(&key("name"), &quantity.name);
            if !names.insert(&quantity.name) {
                self.add(&key("name"), format!("a second quantity with the name \"{}\"", quantity.name));
            }
            use crate::deck::sections::QuantityKind as K;
            let kind = quantity.kind;
            let target =
                self.field(&format!("quantity[{i}]"), quantity.field.as_deref(), quantity.physics.as_deref());
            if let Some((physics, field)) = target {
                // The pressure of a flow is part of its solution.
                let part = deck.physics[physics].has_pressure() && matches!(kind, K::L2Error | K::H1Error);
                let primary = deck.physics[physics].field() == field || part;
                if matches!(kind, K::Flux | K::Reaction | K::Energy | K::L2Error | K::H1Error) && !primary {
                    let message = format!("this kind needs a solution, not the derived field \"{field}\"");
                    self.add(&key("field"), message);
                }
                let (model, in_time) = (deck.physics[physics].model, deck.time.is_some());
                let law = deck.physics[physics].law(model.least_dimension, in_time);
                if kind == K::Energy && !law.forms.of(model.least_dimension).0.is_linear() {
                    self.add(&key("kind"), "only steady diffusion and elasticity have an energy");
                }
                let several = law.facts.motions == Motions::Constants && (model.components)(2) > 1;
                if kind == K::Flux && several {
                    self.add(&key("kind"), format!("{} has no flux of one scalar", model.name));
                }
                let known = deck
                    .exact
                    .iter()
                    .any(|e| deck.field_of(e.field.as_deref(), None).is_some_and(|f| f.1 == field));
                if matches!(kind, K::L2Error | K::H1Error) && !known {
                    self.add(&key("kind"), format!("no [[exact]] solution for the field \"{field}\""));
                }
            }
            match (kind == K::Point, &quantity.point) {
                (true, None) => self.add(&format!("quantity[{i}]"), "missing key `point`"),
                (false, Some(_)) => self.add(&key("point"), "only kind = \"point\" takes a point"),
                _ => {}
            }
            if kind != K::Point && quantity.minus_point.is_some() {
                self.add(&key("minus_point"), "only kind = \"point\" takes a point");
            }
            if quantity.factor.is_some_and(|factor| !factor.is_finite()) {
                self.add(&key("factor"), "expected a finite number");
            }
            match &quantity.marker {
                Some(_) if matches!(kind, K::Point | K::Energy | K::L2Error | K::H1Error) => {
                    self.add(&key("marker"), "this kind takes no marker");
                }
                _ => {}
            }
        }
    }

    pub(super) fn campaign(&mut self) {
        if !self.given("campaign") {
            return;
        }
        let (deck, campaign) = (self.deck, &self.deck.campaign);
        let names: Vec<&str> = deck.parameters.keys().map(String::as_str).collect();
        let ranged: Vec<&str> =
            deck.parameters.iter().filter(|(_, p)| p.varies()).map(|(name, _)| name.as_str()).collect();
        let own = |key: &str| match key {
            "table" | "csv" | "columns" => campaign.design == Design::List,
            "adaptive" => campaign.design == Design::Adaptive,
            _ => campaign.design == Design::Grid,
        };
        for key in ["table", "csv", "columns", "levels", "adaptive"] {
            let path = format!("campaign.{key}");
            if self.given(&path) && !own(key) {
                self.add(&path, "does not belong to this `design`");
            }
        }
        self.steps();
        match (campaign.design, &campaign.table, &campaign.csv) {
            (Design::List, None, None) => self.add("campaign", "the design \"list\" needs `table` or `csv`"),
            (Design::List, Some(_), Some(_)) => self.add("campaign", "`table` and `csv` exclude each other"),
            _ => {}
        }
        if campaign.design == Design::Adaptive {
            self.adaptive();
        }
        let mut seen = HashSet::new();
        for (i, column) in campaign.columns.iter().flatten().enumerate() {
            let key = format!("campaign.columns[{i}]");
            if !names.contains(&column.as_str()) {
                self.add(
                    &key,
                    format!("unknown parameter \"{column}\"{}", did_you_mean(column, &names, "parameters")),
                );
            } else if !seen.insert(column) {
                self.add(&key, format!("the parameter \"{column}\" appears twice"));
            }
        }
        let width = campaign.columns.as_ref().map_or(ranged.len(), Vec::len);
        for (i, row) in campaign.table.iter().flatten().enumerate() {
            if row.len() != width {
                self.add(
                    &format!("campaign.table[{i}]"),
                    format!("expected {width} numbers, found {}", row.len()),
                );
            }
        }
        match &campaign.levels {
            None if campaign.design == Design::Grid => {
                self.add("campaign", "the design \"grid\" needs `levels`")
            }
            None => {}
            Some(levels) => {
                for name in levels.keys().filter(|name| !ranged.contains(&name.as_str())) {
                    let hint = did_you_mean(name, &ranged, "parameters with a range");
                    self.add(
                        &format!("campaign.levels.{name}"),
                        format!("no parameter \"{name}\" with a range{hint}"),
                    );
                }
                for (name, level) in levels {
                    let choices = deck.parameters.get(name).and_then(|p| p.choices.as_ref());
                    if let Some(count) = choices.map(|c| c.values().len()).filter(|&count| count != level.0) {
                        let key = format!("campaign.levels.{name}");
                        self.add(
                            &key,
                            format!("\"{name}\" has {count} choices: leave it out to take them all"),
                        );
                    }
                }
            }
        }
    }

    /// The room for steps.
    fn steps(&mut self) {
        let (time, campaign) = (&self.deck.time, &self.deck.campaign);
        match (campaign.frames, campaign.steps) {
            (Frames::Steps, _) if time.is_none() => {
                self.add(
                    "campaign.frames",
                    "\"steps\" are those of a problem in time: there is no section [time]",
                );
            }
            (Frames::Steps, None) if time.as_ref().is_some_and(|time| time.tolerance.is_some()) => {
                let message = "with time.tolerance nobody knows the number of steps beforehand: give campaign.steps, the most \
                     that a sample may take";
                self.add("campaign.frames", message);
            }
            (Frames::All | Frames::Last, Some(_)) => {
                self.add("campaign.steps", "belongs to frames = \"steps\"");
            }
            _ => {}
        }
    }

    fn adaptive(&mut self) {
        let deck = self.deck;
        let (key, options) = ("campaign.design", deck.campaign.adaptive.clone().unwrap_or_default());
        if options.initial > deck.campaign.samples {
            let samples = deck.campaign.samples;
            let message = format!("more initial samples ({}) than `samples` ({samples})", options.initial);
            self.add("campaign.adaptive.initial", message);
        }
        if deck.parameters.values().all(|p| p.range.is_none()) {
            self.add(key, "an adaptive design needs a parameter with a `range`");
        }
        if !deck.random.is_empty() {
            self.add(key, "an adaptive design needs a reduced model, which has no random fields");
        }
        if deck.has_certified_model() {
            return;
        }
        let held = deck.rom.calibration.unwrap_or(0);
        if options.initial + held > deck.campaign.samples {
            let samples = deck.campaign.samples;
            let message = format!(
                "{} initial samples and {held} to calibrate on are more than `samples` ({samples})",
                options.initial
            );
            self.add("campaign.adaptive.initial", message);
        }
        if deck.time.is_some() && deck.campaign.frames != Frames::Steps {
            let message = "an adaptive design needs a reduced model, and one in time all steps of the samples: \
                           campaign.frames = \"steps\"";
            self.add(key, message);
        }
        if deck.rom.windows.is_some() {
            self.add(
                "rom.windows",
                "bases in space and time do not predict, so that they lead no adaptive design",
            );
        }
        if deck.rom.indicator_modes == 0 {
            self.add(
                "rom.indicator_modes",
                "the indicator leads adaptive designs: expected at least 1, found 0",
            );
        }
        for physics in deck.physics.iter().filter(|physics| physics.has_pressure()) {
            let message = format!(
                "an adaptive design is led by the indicator of a reduced model, and the flow \"{}\" has none",
                physics.name()
            );
            self.add(key, message);
        }
    }
}
