// Package registry moves images between a container store and registries,
// layouts and archives, and serves a registry.
//
// It builds nothing, prints nothing and knows no nodes: an image is what a
// container store has under an id, with the records that its owner keeps there.
//
// An image in the store has a manifest that names its layers by the digests of
// their plain tar streams. On its way it gets another one, that names them as
// they are sent, compressed. So that a pulled image is the one that was pushed,
// byte for byte, the store's manifest goes along with the records: in an
// artifact of its own, under the tag TAG.record, whose subject is the image. The
// tag itself is put last: who finds it finds everything.
package registry
