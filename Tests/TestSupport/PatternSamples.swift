/// Patterns, and paths that they match or not: each corner of the pattern language at least once.
public enum PatternSamples {
    public static let patterns = [
        "a", "a.c", "*.c", "*", "?.c", "a*", "*a*", "a?c", "[ab].c", "[!a].c", "[^a].c", "[a-c].c",
        "[]a].c", "[a-]x", "[[:alpha:]].c", "[[:digit:]]*", "[[:space:]]", "[[:foo:]]", "[a",
        "[[:alpha:",
        "a\\", "\\a.c", "\\*.c", "/a.c", "/d", "d/", "d/a.c", "/d/a.c", "d/*", "d/*.c", "d/**",
        "**/a.c", "**/d/a.c", "d/**/a.c", "d/**/e/**/a.c", "**", "/**", "d**", "d**/a.c", "**d/a.c",
        "*/a.c", "*/*/a.c", "d/*/a.c", "d?e", "d[/]e", "d/e/*", "d/e", "*d*/a.c", "d/***/a.c",
        "**/*.c", "d/**c", "x/**/**/a.c", "a**c", "***", "d/[!x]/a.c", "[x-a].c", "[\\]].c",
        "[a\\-c].c",
        "[[:upper:][:digit:]].c", "[a-c-e].c", "{a,b}.c", "a.[ch]", "*.*", "*.c.*", ".*", "d/.*",
        "?", "??", "*?", "?*", "**/e/*", "**/", "d//a.c", "d/e/**/", "/*/a.c", "d\\/a.c",
        "d/**\\/a.c",
        "[[]", "[[:alpha:]-z].c", "[--0]", "*[0-9]", "e/a.c", "[a-\\c].c", "foo**/bar", "é",
        "[a-z", "[", "[]", "[!]", "[!]a]", "[]-a]", "a[!/]c", "[[:alpha:][:digit:]-]",
        "[^[:alpha:]]",
        "*\\", "\\", "a\\*", "**\\/a.c", "*/**", "**/**", "**/*", "*/**/*", "d/**/**", "a**", "**a",
        "/**/a.c", "d/**/e", "d/?*", "?/e", "[d]/e", "d*/e", "***/a.c", "d/e**", "[[:blank:]]",
        "[[:cntrl:]]", "[[:graph:]]", "[[:lower:]].c", "[[:print:]]", "[[:punct:]]",
        "[[:xdigit:]]*",
        "[[:alnum:]]", "[a-]", "[-a].c", "[+--]x", "[[:alpha:]", "[[:alpha]", "[[:a:]]",
        "[:alpha:]",
        "[\\a-\\c].c", "[!-a]", "[0-9A-C].c", "[A-C].c", "[B].c", "A.C", "FOO**/BAR", "\\A.c",
    ]
    public static let paths = [
        "a", "a.c", "b.c", "c.c", "ab.c", "aXc", "a.h", "A.c", "1.c", "1", "9x", "-.c", "].c", "-x",
        "d/a.c", "d/b.c", "d/.a", "d/e", "d/e/a.c", "d/e/f/a.c", "d/f/e/g/a.c", "x/a.c", "x/y/a.c",
        "dd/a.c", "dx", "d.e", ".hidden", "d/e/.x.c", "x.c.y", "*.c", "d", "xd/a.c", "foobar",
        "foo/bar", "foox/y/bar", "fooxbar", "e/a.c", "a/d/a.c", "z.c", "0", "[", "é", "d/c",
        "\\a.c", " ", "e.c",
    ]
}
