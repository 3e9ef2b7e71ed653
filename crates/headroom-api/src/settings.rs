//! `headroom settings list` as JSON (`contract`), and what a change is.

use std::collections::BTreeMap;

use headroom_core::policy::Policy;
use headroom_core::settings::{self, Chosen, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The version of this form.
pub const VERSION: u32 = 1;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// [`VERSION`].
    pub version: u32,
    /// Each of them.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value: a boolean, a number, or text with a unit such as `"10%"`.
    pub value: Json,
    /// What it is on a node where nobody changed anything.
    pub default: Json,
    /// `boolean`, `number`, `percent`, `size` or `time`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The values there are; of a range one text, `"1% to 50%"`.
    pub allowed: Vec<Json>,
    /// One sentence.
    pub help: String,
    /// Where the value comes from: `default`, `policy` (a policy file) or `setting`.
    pub source: String,
    /// Values to offer for completion.
    pub offered: Vec<String>,
    /// Whether the running guard goes by it; `null` where no guard was asked.
    pub in_force: Option<bool>,
}

/// New values by the names of their settings; `null` leaves one to the policy again.
pub type Change = BTreeMap<String, Option<String>>;

/// A value as JSON: a boolean, a number, or text with its unit.
#[must_use]
pub fn json(value: settings::Value) -> Json {
    match value {
        settings::Value::Boolean(value) => Json::Bool(value),
        settings::Value::Count(value) => value.into(),
        value => value.to_string().into(),
    }
}

/// A value as JSON as the text that a setting is read from; `None` for a list or an object.
#[must_use]
pub fn text(value: &Json) -> Option<String> {
    match value {
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(value) => Some(value.to_string()),
        Json::String(value) => Some(value.clone()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Describes all settings as they are in `policy`, which has those `chosen` on it.
#[must_use]
pub fn describe(policy: &Policy, chosen: &Chosen, in_force: Option<bool>) -> Settings {
    let built_in = Policy::built_in();
    let describe = |setting: settings::Setting| {
        let (value, default) = (setting.value_in(policy), setting.value_in(&built_in));
        let source = match chosen.get(&setting.name) {
            Some(_) => "setting",
            None if value != default => "policy",
            None => "default",
        };
        Setting {
            value: json(value),
            default: json(default),
            kind: setting.kind.name().into(),
            allowed: match setting.kind {
                Kind::Boolean => vec![Json::Bool(true), Json::Bool(false)],
                Kind::Range { .. } => vec![setting.kind.allowed().into()],
            },
            help: setting.help,
            source: source.into(),
            offered: setting.kind.offered(),
            in_force,
            name: setting.name,
        }
    };
    Settings { version: VERSION, settings: settings::all().into_iter().map(describe).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_setting_is_as_the_contract_has_it() {
        let mut chosen = Chosen::default();
        let before = describe(&Policy::built_in(), &chosen, None);
        let first = serde_json::to_value(&before.settings[0]).unwrap();
        assert_eq!(first["name"], "permissive_memory_management");
        assert_eq!(first["type"], "boolean");
        assert_eq!((&first["value"], &first["default"]), (&Json::Bool(false), &Json::Bool(false)));
        assert_eq!(first["allowed"], serde_json::json!([true, false]));
        assert_eq!(first["source"], "default");
        chosen.set("permissive_memory_management", Some("1")).unwrap();
        let after = describe(&chosen.on(&[]).unwrap(), &chosen, Some(true));
        assert_eq!(after.settings[0].value, Json::Bool(true));
        assert_eq!(after.settings[0].source, "setting");
    }
}
