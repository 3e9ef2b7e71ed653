//! The months as `dmesg -T` and loggers abbreviate them in the languages logs are met in.

/// 1 to 12; where two languages disagree about an abbreviation the one with more speakers has it.
pub(super) fn number(name: &str) -> Option<u64> {
    const MONTHS: [&[&str]; 12] = [
        &[
            "jan", "ene", "gen", "sty", "jän", "jänner", "янв", "led", "janv", "ian", "oca", "січ",
            "tammi", "jaan", "ιαν",
        ],
        &[
            "feb", "fév", "févr", "fev", "lut", "фев", "úno", "febr", "şub", "лют", "helmi",
            "veebr", "φεβ",
        ],
        &[
            "mar", "mär", "mrt", "mars", "märz", "мар", "bře", "márc", "бер", "maalis", "märts",
            "μάρ", "μαρ",
        ],
        &["apr", "avr", "abr", "kwi", "апр", "dub", "ápr", "nis", "кві", "huhti", "απρ", "april"],
        &[
            "may", "mai", "mei", "maj", "mag", "май", "мая", "kvě", "maio", "máj", "тра", "touko",
            "μάι", "μαΐ",
        ],
        &[
            "jun", "juin", "giu", "cze", "juni", "июн", "čer", "čen", "jún", "iun", "haz", "чер",
            "kesä", "juuni", "ιούν", "ιουν",
        ],
        &[
            "jul", "juil", "lug", "lip", "juli", "июл", "čec", "júl", "iul", "tem", "лип", "heinä",
            "juuli", "ιούλ", "ιουλ",
        ],
        &["aug", "août", "aou", "ago", "sie", "авг", "srp", "ağu", "сер", "elo", "αύγ", "αυγ"],
        &["sep", "sept", "set", "wrz", "сен", "zář", "szept", "eyl", "вер", "syys", "σεπ"],
        &["oct", "okt", "ott", "out", "paź", "окт", "říj", "eki", "жов", "loka", "οκτ"],
        &["nov", "lis", "ноя", "noi", "kas", "лис", "marras", "νοέ", "νοε"],
        &[
            "dec", "dez", "dic", "déc", "gru", "дек", "pro", "des", "ara", "гру", "joulu", "dets",
            "δεκ",
        ],
    ];
    // Chinese, Japanese and Korean number them.
    if let Some(digits) = name.strip_suffix('月').or_else(|| name.strip_suffix('월')) {
        return digits.parse().ok().filter(|number| (1..=12).contains(number));
    }
    let name = name.to_lowercase();
    let index = MONTHS.iter().position(|names| names.contains(&name.as_str()))?;
    u64::try_from(index + 1).ok()
}
