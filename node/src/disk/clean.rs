//! The mark that says a store's file is as it was left, so that it need not be checked from end to end again.
//!
//! Checking every page against its checksum takes a quarter of a second for 100,000 records. The mark spares that to a
//! store that was closed in good order and that nobody has touched since, going by what the file system knows of the
//! file: its length, its number, and when it was last written and changed, which no copying tool can set back. What is
//! not told by that, a disk that returns other bytes than were written, is looked for once a week.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first word of a mark; another form of it gets another one.
const FORM: &str = "clean1";

/// How long the mark is believed after the last check from end to end.
const TRUST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// So much later than the file's last change the mark is made: file systems tell time in steps of up to 10 ms, and a
/// change in the same step would not show.
const TIME_STEP: Duration = Duration::from_millis(20);

/// Tells whether the store at `path` is as it was left, and when it was last checked; takes the mark away.
///
/// A mark that lasts although the store has been written to since does no harm: it does not fit any more.
pub(super) fn take(path: &Path) -> Option<SystemTime> {
    let mark = mark_path(path);
    let text = fs::read_to_string(&mark).ok()?;
    if let Err(error) = fs::remove_file(&mark) {
        tracing::debug!(%error, "the mark of a clean end could not be removed");
    }
    let (checked, state) = text.strip_prefix(FORM)?.trim().split_once(' ')?;
    let checked = UNIX_EPOCH.checked_add(Duration::from_secs(checked.parse().ok()?))?;
    // A clock that was set back since gives an error: then the store is checked, too.
    let is_trusted = SystemTime::now().duration_since(checked).is_ok_and(|age| age < TRUST);
    (is_trusted && state == describe(&fs::metadata(path).ok()?)?).then_some(checked)
}

/// Marks the store at `path`, which has just been closed, as left in good order.
///
/// # Errors
/// When the mark cannot be written; the store is then checked when it is opened next.
pub(super) fn leave(path: &Path, checked: SystemTime) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let since = metadata.modified()?.elapsed().unwrap_or_default();
    thread::sleep(TIME_STEP.saturating_sub(since));
    let Some(state) = describe(&metadata) else { return Ok(()) };
    let checked_s = checked.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    fs::write(mark_path(path), format!("{FORM} {checked_s} {state}\n"))
}

fn mark_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".clean");
    name.into()
}

/// Returns what changes whenever the file does.
#[cfg(unix)]
fn describe(metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let (written, changed) = ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
    let [written, changed] = [written, changed].map(|(s, ns)| format!("{s}.{ns:09}"));
    Some(format!("{}:{} {} {written} {changed}", metadata.dev(), metadata.ino(), metadata.len()))
}

/// Returns what changes whenever the file does.
#[cfg(not(unix))]
fn describe(metadata: &Metadata) -> Option<String> {
    let written = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.len(), written.as_nanos()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn a_store() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.redb");
        fs::write(&path, "a store").unwrap();
        (folder, path)
    }

    #[test]
    fn a_mark_holds_once_and_only_for_the_file_as_it_was_left() {
        let (_folder, path) = a_store();
        let checked = UNIX_EPOCH + Duration::from_secs(UNIX_EPOCH.elapsed().unwrap().as_secs());
        assert_eq!(take(&path), None);
        leave(&path, checked).unwrap();
        assert_eq!(take(&path), Some(checked));
        assert_eq!(take(&path), None, "it is taken away");
        leave(&path, checked).unwrap();
        // The same length, at once.
        fs::write(&path, "a shore").unwrap();
        assert_eq!(take(&path), None);
    }

    #[test]
    fn a_copy_of_the_store_and_its_mark_is_not_believed() {
        let (_folder, path) = a_store();
        leave(&path, SystemTime::now()).unwrap();
        let copy = path.with_file_name("copy.redb");
        fs::copy(&path, &copy).unwrap();
        fs::copy(mark_path(&path), mark_path(&copy)).unwrap();
        assert_eq!(take(&copy), None);
    }

    #[test]
    fn a_week_after_the_last_check_the_mark_is_not_believed_nor_one_from_the_future() {
        let (_folder, path) = a_store();
        let now = SystemTime::now();
        for (checked, is_trusted) in [
            (now - TRUST + Duration::from_secs(60), true),
            (now - TRUST, false),
            (now + Duration::from_secs(60), false),
        ] {
            leave(&path, checked).unwrap();
            assert_eq!(take(&path).is_some(), is_trusted);
        }
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_none() {
        let (_folder, path) = a_store();
        for text in ["", "clean1", "clean1 x y", "clean2 1 2", "\u{0}"] {
            fs::write(mark_path(&path), text).unwrap();
            assert_eq!(take(&path), None, "{text:?}");
        }
    }
}
