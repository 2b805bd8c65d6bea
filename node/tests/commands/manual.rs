//! Manual pages and completions, as a package installs them.

use std::fs;
use std::process::Command;

use crate::ground::Ground;

#[test]
fn every_command_has_a_page_that_man_shows_without_a_complaint() {
    let ground = Ground::new();
    let told = ground.muster("man --out pages").done();
    let pages: Vec<_> = fs::read_dir(ground.path("pages")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(told, format!("{} pages in pages\n", pages.len()));
    for name in ["muster", "muster-start", "muster-member-add", "muster-config-show"] {
        assert!(pages.contains(&ground.path(&format!("pages/{name}.1"))), "{pages:?}");
    }
    for page in &pages {
        let shown = Command::new("man").args(["--warnings", "--local-file"]).arg(page).env("MANWIDTH", "100").output();
        let Ok(shown) = shown else { return };
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{}", page.display());
        let text = String::from_utf8_lossy(&shown.stdout);
        assert!(text.contains("SYNOPSIS") && text.contains("--home"), "{text}");
    }
}

#[test]
fn the_page_of_the_program_tells_of_its_files_and_exit_codes() {
    let page = Ground::new().muster("man").done();
    for text in [".TH muster 1", ".SH \"EXIT STATUS\"", "\\fIroster.cbor\\fR", "muster\\-start(1)"] {
        assert!(page.contains(text), "{text:?} is missing:\n{page}");
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let ground = Ground::new();
    fs::write(ground.path("muster.bash"), ground.muster("completions bash").done()).unwrap();
    let complete = |line: &str| {
        let script = "source ./muster.bash; COMP_WORDS=($0); [[ $0 == *' ' ]] && COMP_WORDS+=(''); \
                      COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                      _muster muster \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[*]}\"";
        let output = Command::new("bash").args(["--norc", "-c", script, line]).current_dir(ground.path("")).output();
        let output = output.expect("bash is needed for this test");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete("muster mem"), "member");
    assert_eq!(complete("muster start --carry "), "all own");
    assert_eq!(complete("muster unit create --ch"), "--chief");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(ground.muster(&format!("completions {shell}")).done().contains("muster"), "{shell}");
    }
}
