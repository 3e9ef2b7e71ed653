//! `[services]` of `agent.toml`: which services, and where they answer.

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_core::policy::Time;
use serde::Deserialize;

use super::answers::Place;
use super::listed::{BUILT_IN, Listed};

/// What stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Names of those that may be restarted; the built-in ones and the added ones unless given.
    allow: Option<Vec<String>>,
    /// How long a restart is waited for.
    patience: Time,
    /// How long a service may take from systemd's word to its first answer.
    answer_within: Time,
    /// Where a service answers, when that is not where it does by default.
    answers: BTreeMap<String, OneOrMore>,
    /// Services that are not built in.
    add: Vec<Added>,
    /// The bus; the system's unless given.
    pub(crate) bus: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: None,
            patience: Time(Duration::from_secs(300)),
            answer_within: Time(Duration::from_secs(30)),
            answers: BTreeMap::new(),
            add: Vec::new(),
            bus: None,
        }
    }
}

/// A service of the administrator's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    /// Units, in which `*` stands for anything.
    units: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(all) => all,
        }
    }
}

impl Config {
    /// How long a restart is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.patience.0
    }

    /// How long an answer is waited for.
    pub(crate) fn answer_within(&self) -> Duration {
        self.answer_within.0
    }

    /// The list, put together.
    ///
    /// # Errors
    ///
    /// The key that names something that there is not.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, String> {
        let built_in = BUILT_IN.iter().map(Listed::built_in);
        let added = self.add.iter().map(|added| Listed {
            name: added.name.clone(),
            aliases: added.aliases.clone(),
            units: added.units.clone(),
            places: Vec::new(),
        });
        let mut known: Vec<Listed> = added.chain(built_in).collect();
        for listed in &known {
            if let Some(unit) = listed.units.iter().find(|u| !u.ends_with(".service")) {
                return Err(format!("[services] add: \"{unit}\" is no service's unit (.service)"));
            }
        }
        for (name, places) in &self.answers {
            let Some(listed) = known.iter_mut().find(|l| l.name == *name) else {
                return Err(format!("[services.answers] {name}: there is no such service"));
            };
            listed.places = places
                .all()
                .iter()
                .map(|text| text.parse::<Place>())
                .collect::<Result<_, _>>()
                .map_err(|why| format!("[services.answers] {name}: {why}"))?;
        }
        let Some(allow) = &self.allow else {
            known.retain(|l| l.name != "cron");
            return Ok(known);
        };
        if let Some(name) = allow.iter().find(|name| !known.iter().any(|l| l.name == **name)) {
            let names: Vec<_> = known.iter().map(|l| l.name.as_str()).collect();
            return Err(format!(
                "[services] allow: there is no service \"{name}\"; there are {}, and [[services.add]]",
                names.join(", ")
            ));
        }
        known.retain(|l| allow.contains(&l.name));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<String>, String> {
        let config: Config = toml::from_str(text).unwrap();
        config.list().map(|list| list.into_iter().map(|l| l.name).collect())
    }

    #[test]
    fn without_a_word_the_shops_services_may_be_restarted_and_cron_may_not() {
        let names = list("").unwrap();
        for name in ["mysql", "nginx", "php-fpm", "redis", "varnish", "rabbitmq", "opensearch"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
        for name in ["cron", "ssh"] {
            assert!(!names.iter().any(|n| n == name), "{name}");
        }
    }

    #[test]
    fn what_is_allowed_is_the_whole_list() {
        assert_eq!(list("allow = [\"nginx\", \"cron\"]").unwrap(), ["nginx", "cron"]);
        let added =
            "allow = [\"worker\"]\n[[add]]\nname = \"worker\"\nunits = [\"shop-*.service\"]";
        assert_eq!(list(added).unwrap(), ["worker"]);
    }

    #[test]
    fn names_and_places_that_mean_nothing_are_refused() {
        assert!(list("allow = [\"mysqll\"]").unwrap_err().contains("no service \"mysqll\""));
        let unit = "[[add]]\nname = \"x\"\nunits = [\"shop.timer\"]";
        assert!(list(unit).unwrap_err().contains("shop.timer"));
        let place = "[answers]\nnginx = \"here\"";
        assert!(list(place).unwrap_err().starts_with("[services.answers] nginx: \"here\""));
        assert!(list("[answers]\nssh = \"tcp:127.0.0.1:22\"").unwrap_err().contains("ssh"));
        assert!(list("[answers]\nnginx = [\"http://127.0.0.1:8080\", \"tcp:[::1]:80\"]").is_ok());
    }
}
