//! The plan on nodes of several sizes.

use super::*;
use crate::policy::Policy;
use alloc::vec;

fn unit(name: &str, uses: Option<u64>, configured: Option<u64>) -> Unit {
    Unit {
        name: name.into(),
        service: Service::of(name).unwrap(),
        uses: uses.map(Kib::from_mib),
        configured: configured.map(Kib::from_mib),
        low_before: None,
    }
}

fn planned(ram_mib: u64, units: Vec<Unit>, choices: &Choices) -> Result<Plan, Refusal> {
    plan(&Facts { ram: Kib::from_mib(ram_mib), units }, choices, &Policy::built_in().setup)
}

fn contents<'a>(plan: &'a Plan, end: &str) -> &'a str {
    &plan.files.iter().find(|f| f.path.ends_with(end)).unwrap().contents
}

#[test]
fn the_reserve_is_a_share_but_never_too_little() {
    let limit = |ram| planned(ram, vec![], &Choices::default()).unwrap().limit;
    assert_eq!(limit(16_384), Kib::from_mib(14_745));
    assert_eq!(limit(1024), Kib::from_mib(1024 - 128));
}

#[test]
fn a_reserve_that_starves_the_shop_is_refused() {
    assert_eq!(
        planned(200, vec![], &Choices::default()),
        Err(Refusal::ReserveTooLarge { reserve: Kib::from_mib(128), ram: Kib::from_mib(200) })
    );
    let choices =
        Choices { reserve: Some(Reserve::Size(Size(Kib::from_mib(600)))), ..Choices::default() };
    assert!(planned(1024, vec![], &choices).is_err());
}

#[test]
fn what_is_protected_goes_by_use_and_configuration_whichever_is_more() {
    let units = vec![
        unit("mariadb.service", Some(100), Some(512)),
        unit("nginx.service", Some(16), None),
        unit("php8.2-fpm.service", None, None),
    ];
    let plan = planned(8192, units, &Choices::default()).unwrap();
    assert!(contents(&plan, "mariadb.service.d/10-headroom.conf").contains("MemoryLow=640M\n"));
    assert!(contents(&plan, "nginx.service.d/10-headroom.conf").contains("MemoryLow=24M\n"));
    assert!(contents(&plan, "php8.2-fpm.service.d/10-headroom.conf").contains("MemoryLow=160M\n"));
    assert!(contents(&plan, "limited.slice").contains("MemoryLow=824M\n"));
}

#[test]
fn protection_together_stays_below_its_share_of_the_zone() {
    let units = vec![
        unit("elasticsearch.service", None, Some(4096)),
        unit("mariadb.service", None, Some(4096)),
    ];
    let plan = planned(4096, units, &Choices::default()).unwrap();
    let low = |end| {
        let line = contents(&plan, end).lines().find_map(|l| l.strip_prefix("MemoryLow="));
        line.and_then(|l| l.strip_suffix('M')).unwrap().parse::<u64>().unwrap()
    };
    let (one, other) = (
        low("elasticsearch.service.d/10-headroom.conf"),
        low("mariadb.service.d/10-headroom.conf"),
    );
    assert_eq!(one, other, "both are cut alike");
    assert_eq!(one + other, low("limited.slice"));
    assert!(Kib::from_mib(one + other) <= plan.limit.percent(70));
}

#[test]
fn a_value_given_before_stays_though_the_service_has_grown() {
    let before =
        Unit { low_before: Some(Kib::from_mib(160)), ..unit("mariadb.service", Some(900), None) };
    let plan = planned(8192, vec![before], &Choices::default()).unwrap();
    assert!(contents(&plan, "mariadb.service.d/10-headroom.conf").contains("MemoryLow=160M\n"));
}

#[test]
fn jobs_are_held_back_and_one_killed_job_leaves_cron_alive() {
    let plan = planned(2048, vec![unit("cron.service", None, None)], &Choices::default()).unwrap();
    let cron = contents(&plan, "cron.service.d/10-headroom.conf");
    for line in ["Slice=limited.slice", "MemoryHigh=1382M", "CPUWeight=25", "OOMPolicy=continue"] {
        assert!(cron.lines().any(|l| l == line), "{line} in {cron}");
    }
    assert!(!cron.contains("MemoryLow"));
    assert_eq!(plan.moves, ["cron.service"]);
}

#[test]
fn root_is_never_limited_when_all_users_are() {
    let plan = planned(2048, vec![], &Choices::default()).unwrap();
    assert!(contents(&plan, "user-.slice.d/10-headroom.conf").contains("MemoryMax="));
    assert!(!contents(&plan, "user-0.slice.d/10-headroom.conf").contains("MemoryMax="));
    let named = Choices { uids: vec![1000], ..Choices::default() };
    let plan = planned(2048, vec![], &named).unwrap();
    assert!(contents(&plan, "user-1000.slice.d/10-headroom.conf").contains("MemoryMax="));
    assert!(!plan.files.iter().any(|f| f.path.contains("user-.slice.d")));
}
