package settings

import (
	"fmt"
	"strings"
)

// Word tells what the program is to do. It comes before the flags.
type Word struct {
	Name, Summary string
}

// Words are all words. Without a word the first is meant.
var Words = []Word{
	{"serve", "Answer requests until SIGTERM. It is what no word means, too."},
	{"version", "Print the version and exit, as -version does."},
	{"help", "Print this and exit, as -help does."},
	{"torture", "Find out whether a server loses messages; see torture -help."},
	{"tail", "Print the messages of channels as they come; see tail -help."},
	{"token", "Make a token for a server that asks for one; see token -help."},
	{"health", "Ask a server how it is; see health -help."},
	{"post", "Post each line of standard input to a channel; see post -help."},
}

// SplitWord splits the word off the arguments.
func SplitWord(args []string) (name string, rest []string, err error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return Words[0].Name, args, nil
	}
	names := make([]string, len(Words))
	for i, word := range Words {
		if names[i] = word.Name; word.Name == args[0] {
			return word.Name, args[1:], nil
		}
	}
	return "", nil, fmt.Errorf("%q is no word of pubsub, which are %s; see pubsub help", args[0], strings.Join(names, ", "))
}
