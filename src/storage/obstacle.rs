//! Whether a file can be written, found out before anything takes time.
use std::path::Path;

/// Why a file could not be written later, as far as one can see now: a folder has its name, its folder is none, or no file
/// can be made there (or in the nearest folder above that is there). Leaves nothing. Local.
pub fn obstacle(path: &Path) -> Option<String> {
    if path.is_dir() {
        return Some(format!("{} is a folder, not a file", path.display()));
    }
    let above = path.ancestors().skip(1).map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
    let mut above = above.skip_while(|p| std::fs::symlink_metadata(p).is_err());
    let folder = above.next().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let what = if folder.is_symlink() { "a link to nowhere" } else { "a file" };
        return Some(format!("{} is {what}, not a folder", folder.display()));
    }
    let trial = folder.join(format!(".tessera-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&trial);
    let _ = std::fs::remove_file(&trial);
    made.err().map(|e| format!("no file can be made in {}: {e}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| obstacle(&folder.path().join(name));
        std::fs::write(folder.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert_eq!(at("new/below/run.h5"), None);
        assert_eq!(at("file"), None);
        assert!(at("file/run.h5").unwrap().ends_with("file is a file, not a folder"));
        assert!(at("file/below/run.h5").unwrap().ends_with("file is a file, not a folder"));
        assert!(at("link/run.h5").unwrap().ends_with("a link to nowhere, not a folder"));
        std::fs::create_dir(folder.path().join("run.h5")).unwrap();
        assert!(at("run.h5").unwrap().ends_with("run.h5 is a folder, not a file"));
        assert!(
            obstacle(Path::new("/proc/new/run.h5")).unwrap().starts_with("no file can be made in /proc: ")
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
