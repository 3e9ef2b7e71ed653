//! The settings that somebody chose, as the file says that keeps them: a policy file of which nothing but
//! settings is taken.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use super::{PERMISSIVE, Value, all, check, find};
use crate::policy::{Layer, Policy, Problem};

/// Values by the names of their settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    values: BTreeMap<String, Value>,
}

impl Chosen {
    /// Reads the file's text. `origin` is its path, for messages.
    ///
    /// # Errors
    ///
    /// What is no setting or is not allowed: then nothing of it is taken.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Problem> {
        let layer = Layer::parse(origin, text)?;
        let problem = |message: String| Problem { origin: origin.into(), place: None, message };
        if !layer.has_settings_only() {
            return Err(problem("holds more than settings".into()));
        }
        let mut chosen = Self::default();
        for setting in all() {
            if let Some(value) = layer.setting(&setting.name) {
                let value = setting.parse(&value.to_string());
                let value = value.map_err(|why| problem(format!("{}: {why}", setting.name)))?;
                chosen.values.insert(setting.name, value);
            }
        }
        Ok(chosen)
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "# What was set by \"headroom settings\" and the API. The guard writes this file anew at each change.\n",
        );
        if let Some(value) = self.values.get(PERMISSIVE) {
            text += &format!("{PERMISSIVE} = {}\n", value.written());
        }
        let mut table = "";
        for (name, value) in &self.values {
            let Some((set, name)) = name.split_once('.') else { continue };
            if set != table {
                text += &format!("\n[{set}]\n");
                table = set;
            }
            text += &format!("{name} = {}\n", value.written());
        }
        text
    }

    /// The value of that setting, where one was chosen.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).copied()
    }

    /// Whether nothing was chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Chooses a value, or with `None` leaves it to the policy again.
    ///
    /// # Errors
    ///
    /// What is allowed instead.
    pub fn set(&mut self, name: &str, text: Option<&str>) -> Result<(), String> {
        let setting = find(name)?;
        match text {
            Some(text) => self.values.insert(setting.name.clone(), setting.parse(text)?),
            None => self.values.remove(&setting.name),
        };
        Ok(())
    }

    /// The policy of `layers` with these settings on all of them.
    ///
    /// # Errors
    ///
    /// What is wrong with the whole.
    pub fn on(&self, layers: &[Layer]) -> Result<Policy, Problem> {
        let own = Layer::parse("settings", &self.to_text())?;
        let mut layers = layers.to_vec();
        layers.push(own);
        Policy::from_layers(&layers)
    }

    /// As [`Self::on`], and with a second look at what the settings make together.
    ///
    /// # Errors
    ///
    /// The setting at fault, empty for one of the layers, and what is wrong.
    pub fn check_on(&self, layers: &[Layer]) -> Result<Policy, (String, String)> {
        let policy = self.on(layers).map_err(|problem| (String::new(), problem.to_string()))?;
        check(&policy)?;
        Ok(policy)
    }
}
