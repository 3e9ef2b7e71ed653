//! What a package holds, from programs and pages that are none.

use super::*;

/// Files in the place of programs, pages and completions.
fn contents(folder: &Path) -> Contents {
    let contents = Contents { programs: folder.join("programs"), docs: folder.join("docs") };
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for program in PROGRAMS {
        write(contents.programs.join(program.name), b"\x7fELF GLIBC_2.34\0");
    }
    for page in ["headroom.1", "headroom-guard.8", "headroom-agent.8", "policy.toml.5"] {
        write(contents.man().join(page), b".TH");
    }
    for (_, path) in docs::SHELLS {
        write(contents.completions().join(path), b"complete");
    }
    contents
}

#[test]
fn the_newest_version_of_the_c_library_is_found_by_number_and_not_by_text() {
    let program = b"\0GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
    assert_eq!(newest_libc(program), (2, 34));
}

#[test]
fn files_below_etc_are_conffiles() {
    assert_eq!(conffiles(), "/etc/headroom/policy.toml\n/etc/headroom/agent.toml\n");
}

#[test]
fn a_package_without_a_program_is_not_built() {
    let (folder, staging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let contents = contents(folder.path());
    fs::remove_file(contents.programs.join("headroom")).unwrap();
    let error = stage(&tree::root(), &contents, VERSION, staging.path()).unwrap_err();
    assert!(error.to_string().contains("headroom-cli gave no headroom"));
}

#[test]
fn all_that_a_package_needs_is_laid_out() {
    let (folder, staging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stage(&tree::root(), &contents(folder.path()), VERSION, staging.path()).unwrap();
    let read = |path: &str| fs::read_to_string(staging.path().join(path)).unwrap();
    assert!(read("DEBIAN/control").contains("libc6 (>= 2.34)"));
    assert!(read("DEBIAN/postinst").contains("units=\"headroom-guard.service"));
    assert!(read("DEBIAN/md5sums").contains("  usr/sbin/headroom-guard\n"));
    let guard = fs::metadata(staging.path().join("usr/sbin/headroom-guard")).unwrap();
    assert_eq!(guard.permissions().mode() & 0o777, 0o755);
    for name in OTHER_NAMES {
        let link = fs::read_link(staging.path().join("usr/bin").join(name)).unwrap();
        assert_eq!(link, Path::new("headroom"));
    }
    for page in
        ["man1/headroom.1", "man8/headroom-guard.8", "man8/headroom-agent.8", "man5/policy.toml.5"]
    {
        let page = format!("usr/share/man/{page}.gz");
        assert!(staging.path().join(&page).exists(), "{page}");
    }
    assert!(staging.path().join("usr/share/zsh/vendor-completions/_headroom").exists());
}

#[test]
fn packed_twice_it_is_the_same() {
    let (folder, staging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let page = folder.path().join("page.1");
    fs::write(&page, ".TH PAGE 1").unwrap();
    let packed = ["a.gz", "b.gz"].map(|name| {
        let to = staging.path().join(name);
        place(&page, &to, 0o644).unwrap();
        fs::read(to).unwrap()
    });
    assert_eq!(packed[0], packed[1]);
}

#[test]
fn the_packages_changelog_begins_with_this_version() {
    let changelog = fs::read_to_string(tree::root().join("packaging/changelog")).unwrap();
    assert!(changelog.starts_with(&format!("headroom ({VERSION})")), "add {VERSION} to it");
}

#[test]
fn every_script_knows_every_unit() {
    for script in SCRIPTS {
        let text = fs::read_to_string(tree::root().join("packaging").join(script)).unwrap();
        assert!(text.contains("units=\"@UNITS@\""), "{script}");
    }
    for unit in ["headroom-guard.service", "headroom-agent.service", "headroom-agent.socket"] {
        assert!(units().any(|known| known == unit), "{unit}");
    }
}
