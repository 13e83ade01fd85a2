// Package rostertest tests whether a roster fulfils its contract.
package rostertest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/roster"
)

// Run tests a roster. open must return an empty one for each test.
func Run(t *testing.T, open func(t *testing.T) roster.Roster) {
	for name, test := range map[string]func(*testing.T, roster.Roster){
		"puts and takes": putsAndTakes, "names": names, "storm": storm, "typing": typing,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func in(channel string, names ...string) (people []roster.Person) {
	for _, name := range names {
		people = append(people, roster.Person{Channel: channel, Name: name})
	}
	return people
}

func putsAndTakes(t *testing.T, r roster.Roster) {
	ctx := t.Context()
	changes, err := r.Put(ctx, append(in("room", "ann", "bob"), in("other", "ann")...))
	require.NoError(t, err)
	require.Equal(t, []roster.Change{
		{Person: in("room", "ann")[0], Joined: true, Count: 1, Named: true},
		{Person: in("room", "bob")[0], Joined: true, Count: 2, Named: true},
		{Person: in("other", "ann")[0], Joined: true, Count: 1, Named: true},
	}, changes)
	changes, err = r.Put(ctx, in("room", "bob", "ann"))
	require.NoError(t, err)
	require.Empty(t, changes, "they are here already")
	changes, err = r.Take(ctx, in("room", "ann", "eve", "ann"))
	require.NoError(t, err)
	require.Equal(t, []roster.Change{{Person: in("room", "ann")[0], Count: 1, Named: true}}, changes)
	for channel, want := range map[string]string{"room": "1 [bob]", "other": "1 [ann]", "none": "0 []"} {
		count, names, err := r.Who(ctx, channel)
		require.NoError(t, err)
		require.Equal(t, want, fmt.Sprint(count, " ", names))
	}
}

func names(t *testing.T, r roster.Roster) {
	odd := []string{"a b", "  ", "{x}", "\"'\\", "ö\u2028", "%s", "0", "-1", "a:b", "x y z"}
	_, err := r.Put(t.Context(), in("room", odd...))
	require.NoError(t, err)
	_, got, err := r.Who(t.Context(), "room")
	require.NoError(t, err)
	require.ElementsMatch(t, odd, got)
	require.IsIncreasing(t, got)
	changes, err := r.Take(t.Context(), in("room", odd...))
	require.NoError(t, err)
	require.Len(t, changes, len(odd))
}

func storm(t *testing.T, r roster.Roster) {
	var many []string
	for i := range roster.MaxNames + 10 {
		many = append(many, fmt.Sprint(i))
	}
	changes, err := r.Put(t.Context(), in("room", many...))
	require.NoError(t, err)
	require.Len(t, changes, len(many))
	for i, c := range changes {
		require.Equal(t, i+1, c.Count)
		require.Equal(t, i < roster.MaxNamed, c.Named, "change %d", i)
	}
	count, names, err := r.Who(t.Context(), "room")
	require.NoError(t, err)
	require.Equal(t, roster.MaxNames+10, count)
	require.Empty(t, names)
	count, tell, err := r.Count(t.Context(), "room")
	require.NoError(t, err)
	require.Equal(t, roster.MaxNames+10, count)
	require.True(t, tell)
	_, err = r.Put(t.Context(), in("full", many[:roster.MaxNames]...))
	require.NoError(t, err)
	_, names, err = r.Who(t.Context(), "full")
	require.NoError(t, err)
	require.Len(t, names, roster.MaxNames)
}

func typing(t *testing.T, r roster.Roster) {
	told := 0
	for i := range 4 * roster.MaxNamed {
		tell, err := r.Typed(t.Context(), roster.Person{Channel: "room", Name: fmt.Sprint(i / 2)})
		require.NoError(t, err)
		if tell {
			require.Zero(t, i%2, "once for a name")
			told++
		}
	}
	require.Equal(t, roster.MaxNamed, told)
	tell, err := r.Typed(t.Context(), roster.Person{Channel: "other", Name: "0"})
	require.NoError(t, err)
	require.True(t, tell)
}
