/** Where smart accounts took the signatures of key-log entries. */
export const name = 'wallet-proofs'

export const sql = `
-- All three or none: none for accounts that a private key controls.
ALTER TABLE key_log ADD COLUMN proof_kind TEXT CHECK (proof_kind IN ('contract', 'counterfactual'));
ALTER TABLE key_log ADD COLUMN proof_chain TEXT CHECK ((proof_chain IS NULL) = (proof_kind IS NULL));
ALTER TABLE key_log ADD COLUMN proof_block INTEGER CHECK ((proof_block IS NULL) = (proof_kind IS NULL));
`
