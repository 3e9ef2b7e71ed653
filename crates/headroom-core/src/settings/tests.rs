//! Names, values, and what becomes of the policy.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

#[test]
fn every_threshold_of_both_sets_is_a_setting_and_each_has_its_sentence() {
    let settings = all();
    assert_eq!(settings[0].name, PERMISSIVE);
    assert_eq!(settings.len(), 1 + 2 * THRESHOLD_HELP.len());
    for setting in &settings {
        assert!(setting.help.ends_with('.') && setting.help.len() < 240, "{}", setting.help);
        assert!(!setting.kind.offered().is_empty(), "{}", setting.name);
        for offered in setting.kind.offered() {
            let value = setting.parse(&offered);
            assert_eq!(value.map(|v| v.to_string()), Ok(offered), "{}", setting.name);
        }
        let built_in = setting.value_in(&Policy::built_in());
        assert_eq!(setting.parse(&built_in.to_string()), Ok(built_in), "{}", setting.name);
    }
}

#[test]
fn a_boolean_is_taken_as_people_and_python_write_it() {
    let setting = find(PERMISSIVE).unwrap();
    for text in ["True", "true", "1", "yes", "ON", " true "] {
        assert_eq!(setting.parse(text), Ok(Value::Boolean(true)), "{text}");
    }
    for text in ["False", "false", "0", "no", "off"] {
        assert_eq!(setting.parse(text), Ok(Value::Boolean(false)), "{text}");
    }
    assert_eq!(setting.parse("maybe"), Err("\"maybe\" is neither true nor false".into()));
}

#[test]
fn what_is_out_of_range_or_without_unit_is_refused_with_what_is_allowed() {
    let refused = |name: &str, text: &str| find(name).unwrap().parse(text).unwrap_err();
    assert_eq!(refused("strict.floor", "80%"), "\"80%\" is not allowed: it is 1% to 50%");
    assert!(refused("strict.floor_min", "64").contains("with its unit (KiB, MiB, GiB)"));
    assert!(refused("strict.pause_limit", "2 minutes").contains("(ms, s, min, h)"));
    assert!(refused("strict.kernel_kills", "-1").contains("1 to 1000"));
    assert!(find("strict.floor").unwrap().parse("12").is_ok(), "a share has one unit only");
}

#[test]
fn a_name_nearly_right_gets_the_right_one() {
    let refused = |name: &str| find(name).unwrap_err();
    assert!(refused("permisive_memory_management").contains("did you mean permissive_memory"));
    assert!(refused("floor").contains("there are strict.floor and permissive.floor"));
    assert!(refused("colour").contains("\"headroom settings\" lists them"));
    assert!(refused(&"x".repeat(9000)).len() < 200);
}

#[test]
fn what_was_chosen_survives_its_file_and_wins_over_the_policy() {
    let mut chosen = Chosen::default();
    assert_eq!(chosen, Chosen::parse("s", &chosen.to_text()).unwrap());
    let values = [(PERMISSIVE, "True"), ("strict.floor", "12"), ("permissive.pause_limit", "90s")];
    for (name, value) in values {
        chosen.set(name, Some(value)).unwrap();
    }
    assert_eq!(chosen, Chosen::parse("s", &chosen.to_text()).unwrap());
    let layer = crate::policy::Layer::parse(
        "p",
        "permissive_memory_management = false\n[strict]\nfloor = \"9%\"",
    );
    let policy = chosen.on(&[layer.unwrap()]).unwrap();
    assert_eq!(policy.name(), "permissive");
    assert_eq!(policy.strict.floor.0, 12);
    chosen.set("strict.floor", None).unwrap();
    assert_eq!(chosen.on(&[]).unwrap().strict.floor.0, 10);
}

#[test]
fn the_file_is_believed_for_settings_alone() {
    let refused = |text: &str| Chosen::parse("s.toml", text).unwrap_err().to_string();
    let rule = "[[rule]]\nname = \"mine\"\nclass = \"essential\"\nuid = [\"1000\"]\n";
    assert_eq!(refused(rule), "s.toml: holds more than settings");
    assert_eq!(refused("[class]\nexpendable = 0\n"), "s.toml: holds more than settings");
    assert_eq!(refused("[setup]\nreserve = \"5%\"\n"), "s.toml: holds more than settings");
    assert!(refused("[strict]\nfloor = \"99%\"\n").contains("strict.floor"));
    assert!(refused("[strict]\nflor = \"9%\"\n").contains("did you mean"));
}

#[test]
fn values_that_contradict_each_other_are_named() {
    let mut chosen = Chosen::default();
    chosen.set("strict.floor_min", Some("2GiB")).unwrap();
    let (name, why) = chosen.check_on(&[]).unwrap_err();
    assert_eq!(name, "strict.floor_min");
    assert_eq!(why, "strict.floor_min (2GiB) would be above strict.floor_max (1GiB)");
}

#[test]
fn offers_of_a_boolean_are_all_it_can_be() {
    let offered: Vec<_> = find(PERMISSIVE).unwrap().kind.offered();
    assert_eq!(offered, ["true", "false"]);
}
