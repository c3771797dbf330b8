//! The schema of `[[physics]]`, by the table of models.
use super::boundary::Boundary;
use super::physics::{Physics, Plane, Rotation};
use super::sections::SolverOptions;
use super::value::{Coefficient, Property, Scalar};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use tessera_kernels::MODELS;
use tessera_kernels::model::{Input, Kind, Missing, Model};

impl JsonSchema for Physics {
    fn schema_name() -> Cow<'static, str> {
        "Physics".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let variants: Vec<Schema> = MODELS.iter().map(|model| of_model(model, generator)).collect();
        json_schema!({ "description": "One model, solved in the deck's order.", "oneOf": variants })
    }
}

/// The schema of one model's table.
fn of_model(model: &Model, generator: &mut SchemaGenerator) -> Schema {
    let mut keys = serde_json::Map::new();
    let text = |about: &str, default: &str| json_schema!({ "description": about, "type": "string", "default": default });
    let mut add = |key: &str, schema: Schema| drop(keys.insert(key.into(), schema.into()));
    add("model", json_schema!({ "type": "string", "const": model.name }));
    add("name", text("Name by which the deck refers to this physics.", model.name));
    add("field", text("Name of the solution.", model.field));
    add("unit", text("Unit of the solution.", model.unit));
    let degree = &model.degree;
    add(
        "degree",
        json_schema!({
            "description": degree.about, "type": "integer", "format": "uint", "default": degree.default,
            "minimum": degree.least, "maximum": degree.most
        }),
    );
    for input in model.inputs {
        add(input.key, of_input(input, generator));
    }
    if let Some(planes) = &model.planes {
        let mut schema = generator.subschema_for::<Option<Plane>>();
        schema.insert("description".into(), planes.about.into());
        add("plane", schema);
    }
    let mut boundary = generator.subschema_for::<Vec<Boundary>>();
    boundary.insert("description".into(), model.boundary.into());
    boundary.insert("default".into(), serde_json::json!([]));
    add("boundary", boundary);
    let mut solver = generator.subschema_for::<Option<SolverOptions>>();
    solver.insert("description".into(), "Overrides of `[solver]`.".into());
    add("solver", solver);
    let required =
        model.inputs.iter().filter(|input| input.default == Missing::Required).map(|input| input.key);
    let required: Vec<&str> = std::iter::once("model").chain(required).collect();
    json_schema!({
        "description": model.about, "type": "object", "properties": keys, "required": required,
        "additionalProperties": false
    })
}

fn of_input(input: &Input, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = match &input.kind {
        Kind::Coefficient | Kind::Tensor => generator.subschema_for::<Coefficient>(),
        Kind::Scalar => generator.subschema_for::<Scalar>(),
        Kind::Property => generator.subschema_for::<Property>(),
        Kind::Rotation => generator.subschema_for::<Rotation>(),
        Kind::Vector => {
            let mut list = generator.subschema_for::<Vec<Scalar>>();
            list.insert("minItems".into(), 1.into());
            list.insert("maxItems".into(), 3.into());
            list
        }
        Kind::Table(inputs, about) => {
            let keys: serde_json::Map<String, serde_json::Value> =
                inputs.iter().map(|own| (own.key.into(), of_input(own, generator).into())).collect();
            let required: Vec<&str> = inputs.iter().map(|own| own.key).collect();
            let table = json_schema!({
                "description": about, "type": "object", "properties": keys, "required": required,
                "additionalProperties": false
            });
            let name = format!("Table of {}", input.key).replace(' ', "_");
            generator.definitions_mut().insert(name.clone(), table.into());
            Schema::new_ref(format!("#/$defs/{name}"))
        }
    };
    schema.insert("description".into(), input.about.into());
    if let Missing::Value(number) = input.default {
        schema.insert("default".into(), number.into());
    }
    if !input.unit.is_empty() {
        schema.insert("x-unit".into(), input.unit.into());
    }
    schema
}
