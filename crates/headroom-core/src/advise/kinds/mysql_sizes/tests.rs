use super::*;

#[test]
fn the_arithmetic_of_a_default_mariadb_is_the_manuals() {
    let sizes = Sizes::of(&Mysql::default(), Kib::from_mib(4096));
    // sort 2 MiB + join, rnd 256 KiB each + read 128 + stack 292 + net 16, and a table of 16 MiB.
    assert_eq!(sizes.session(), Kib(2048 + 256 + 256 + 128 + 292 + 16));
    assert_eq!(sizes.table.size, Kib::from_mib(16));
    assert_eq!(sizes.global(), Kib::from_mib(128 + 16 + 128 + 128 + 48));
    let peak = sizes.peak(151);
    assert_eq!(peak, Kib(sizes.global().0 + 151 * (2996 + 16384)));
    assert!(sizes.sessions_are_default());
}

#[test]
fn what_the_server_says_itself_counts_more_than_its_files() {
    let mut mysql = Mysql::default();
    mysql.options.set("innodb_buffer_pool_size", Some("1G"), "/my.cnf:3");
    assert_eq!(Sizes::of(&mysql, Kib(0)).pool().size, Kib::from_mib(1024));
    assert_eq!(Sizes::of(&mysql, Kib(0)).pool().at, "/my.cnf:3");
    mysql.variables.insert("innodb_buffer_pool_size".into(), "268435456".into());
    assert_eq!(Sizes::of(&mysql, Kib(0)).pool().size, Kib::from_mib(256));
}

#[test]
fn a_setting_is_written_where_it_stands() {
    let mut mysql = Mysql { file: "/etc/50.cnf".into(), ..Mysql::default() };
    mysql.options.set("max_connections", Some("9"), "/etc/99.cnf:4");
    mysql.options.set("sort_buffer_size", Some("9M"), "command line of pid 7");
    assert_eq!(file_of(&mysql, "max_connections"), "/etc/99.cnf");
    assert_eq!(file_of(&mysql, "sort_buffer_size"), "/etc/50.cnf");
    assert_eq!(file_of(&Mysql::default(), "max_connections"), "my.cnf");
}

#[test]
fn mysql_8_bounds_its_temporary_tables_together() {
    let mysql = Mysql { flavour: Flavour::Mysql, version: Some((8, 0, 36)), ..Mysql::default() };
    let sizes = Sizes::of(&mysql, Kib(0));
    assert_eq!(sizes.tables_most, Some(Kib::from_mib(1024)));
    // 200 connections of 16 MiB would be more than that.
    let without = Kib(sizes.session().0 * 200).saturating_add(sizes.global());
    assert_eq!(sizes.peak(200), without.saturating_add(Kib::from_mib(1024)));
    assert!(sizes.once.iter().any(|part| part.name == "performance_schema"));
}

#[test]
fn the_smaller_of_the_two_bounds_a_temporary_table() {
    let mut mysql = Mysql::default();
    mysql.options.set("tmp_table_size", Some("256M"), "/my.cnf:1");
    assert_eq!(Sizes::of(&mysql, Kib(0)).table.size, Kib::from_mib(16));
    mysql.options.set("max_heap_table_size", Some("128M"), "/my.cnf:2");
    let table = Sizes::of(&mysql, Kib(0)).table;
    assert_eq!((table.size, table.at.as_str()), (Kib::from_mib(128), "/my.cnf:2"));
}
