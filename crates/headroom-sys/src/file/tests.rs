//! Files with good and bad owners and modes, and a journal's file.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

fn file_with_mode(mode: u32) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.toml");
    fs::write(&path, "a = 1\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

#[test]
fn only_a_file_nobody_else_can_write_is_believed() {
    for (mode, problem) in [
        (0o600, None),
        (0o644, None),
        (0o444, None),
        (0o664, Some(OwnerProblem::WritableByGroup)),
        (0o646, Some(OwnerProblem::WritableByOthers)),
        (0o666, Some(OwnerProblem::WritableByOthers)),
    ] {
        let (_dir, path) = file_with_mode(mode);
        assert_eq!(owner_problem(&path), Ok(problem), "{mode:o}");
        let expected = problem.map_or(Ok(b"a = 1\n".to_vec()), |p| Err(FileError::Untrusted(p)));
        assert_eq!(read_trusted(&path, 64), expected);
    }
}

#[test]
fn a_strangers_file_is_not_believed() {
    let (_dir, path) = file_with_mode(0o600);
    let mut stat = rustix::fs::stat(&path).unwrap();
    stat.st_uid = 4711;
    assert_eq!(problem_of(&stat, 4712), Some(OwnerProblem::Owner { uid: 4711 }));
    assert_eq!(problem_of(&stat, 4711), None);
    stat.st_uid = 0;
    assert_eq!(problem_of(&stat, 4711), None);
}

#[test]
fn a_link_counts_as_what_it_leads_to() {
    let (dir, path) = file_with_mode(0o666);
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(owner_problem(&link), Ok(Some(OwnerProblem::WritableByOthers)));
}

#[test]
fn a_missing_file_a_directory_and_a_pipe_are_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(owner_problem(&dir.path().join("none")), Err(ReadError::Gone));
    assert_eq!(owner_problem(dir.path()), Ok(Some(OwnerProblem::NotAFile)));
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    assert_eq!(owner_problem(&pipe), Ok(Some(OwnerProblem::NotAFile)));
}

#[test]
fn a_file_past_the_limit_is_refused() {
    let (_dir, path) = file_with_mode(0o600);
    assert_eq!(read_trusted(&path, 6).unwrap(), b"a = 1\n");
    assert_eq!(read_trusted(&path, 5), Err(FileError::TooLong { limit: 5 }));
}

#[test]
fn a_journals_file_is_there_in_full_before_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = Preallocated::open(&path, 64 * 1024).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((journal.len(), metadata.len()), (64 * 1024, 64 * 1024));
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    journal.write_at(100, b"verdict").unwrap();
    journal.sync().unwrap();
    assert_eq!(journal.read_at(98, &mut [9; 11]), Ok(&b"\0\0verdict\0\0"[..]));
    assert_eq!(journal.read_at(64 * 1024 - 2, &mut [9; 8]), Ok(&b"\0\0"[..]));
}

#[test]
fn a_journals_file_keeps_its_content_and_only_grows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    Preallocated::open(&path, 4096).unwrap().write_at(0, b"kept").unwrap();
    let grown = Preallocated::open(&path, 8192).unwrap();
    assert_eq!((grown.len(), grown.read_at(0, &mut [0; 4])), (8192, Ok(&b"kept"[..])));
    assert_eq!(Preallocated::open(&path, 4096).unwrap().len(), 8192);
}

#[test]
fn nothing_is_written_past_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Preallocated::open(&dir.path().join("journal"), 4096).unwrap();
    assert_eq!(journal.write_at(4095, b"x"), Ok(()));
    for offset in [4095, u64::MAX] {
        let refused = journal.write_at(offset, b"xy");
        assert!(matches!(refused, Err(ReadError::Malformed { .. })), "{offset}");
    }
}

#[test]
fn a_file_system_that_cannot_allocate_ahead_gets_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    fs::write(&path, "head").unwrap();
    let file = rustix::fs::open(&path, OFlags::RDWR, Mode::empty()).unwrap();
    let journal = Preallocated { file, len: 10_000 };
    journal.fill_from(4).unwrap();
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len(), 10_000);
    assert!(content.starts_with(b"head\0") && content.iter().skip(4).all(|byte| *byte == 0));
}

#[test]
fn a_journal_that_is_a_link_or_anybodys_is_refused() {
    let (dir, path) = file_with_mode(0o666);
    let refused = Preallocated::open(&path, 4096).unwrap_err();
    assert_eq!(refused, FileError::Untrusted(OwnerProblem::WritableByOthers));
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    let refused = Preallocated::open(&link, 4096).unwrap_err();
    assert_eq!(refused, FileError::Read(ReadError::Other(Errno::LOOP)));
    assert_eq!(fs::read(&path).unwrap(), b"a = 1\n");
}
