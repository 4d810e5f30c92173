/** A key, a certificate or a list that must not be used; its message says why, in words for the operator. */
export class CertificateProblem extends Error {}
