// Checks a proof file of rice-stream with the libraries of transparency logs, and none of its own rules for trees or signatures.
//
//	check PROOF.json PUBLIC_KEY...
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type leaf struct {
	Leaf       string
	Index      uint64
	Checkpoint int
	Proof      []string
}

type tree struct {
	Kind        string
	Checkpoints []string
	Consistency [][]string
	Leaves      []leaf
}

func main() {
	if err := check(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "NOT PROVEN:", err)
		os.Exit(1)
	}
}

func check(file string, keys []string) error {
	var verifiers []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var found struct{ Trees []tree }
	if err := json.Unmarshal(content, &found); err != nil {
		return err
	}
	proven := 0
	for _, each := range found.Trees {
		if err := checkTree(each, verifiers); err != nil {
			return err
		}
		proven += len(each.Leaves)
	}
	fmt.Println(proven, "leaves are proven")
	return nil
}

func checkTree(found tree, verifiers []note.Verifier) error {
	hasher := rfc6962.DefaultHasher
	var signed []*log.Checkpoint
	for _, text := range found.Checkpoints {
		opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
		if err != nil {
			return err
		}
		var checkpoint log.Checkpoint
		if _, err := checkpoint.Unmarshal([]byte(opened.Text)); err != nil {
			return err
		}
		signed = append(signed, &checkpoint)
	}
	for number, text := range found.Consistency {
		hashes, err := decode(text)
		if err != nil {
			return err
		}
		from, to := signed[number], signed[number+1]
		if err := proof.VerifyConsistency(hasher, from.Size, to.Size, hashes, from.Hash, to.Hash); err != nil {
			return err
		}
	}
	for _, each := range found.Leaves {
		hashes, err := decode(each.Proof)
		if err != nil {
			return err
		}
		of, hash := signed[each.Checkpoint], hasher.HashLeaf([]byte(each.Leaf))
		if err := proof.VerifyInclusion(hasher, each.Index, of.Size, hash, hashes, of.Hash); err != nil {
			return err
		}
		if err := checkRecord(each, of, hashes); err != nil {
			return err
		}
	}
	return nil
}

// The same by a second implementation, that of Go's own checksum database.
func checkRecord(each leaf, of *log.Checkpoint, hashes [][]byte) error {
	var record tlog.RecordProof
	for _, each := range hashes {
		record = append(record, tlog.Hash(each))
	}
	return tlog.CheckRecord(record, int64(of.Size), tlog.Hash(of.Hash), int64(each.Index), tlog.RecordHash([]byte(each.Leaf)))
}

func decode(texts []string) ([][]byte, error) {
	var hashes [][]byte
	for _, text := range texts {
		hash, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}
