// Asks reCAPTCHA, version 3, for the proof of a field.
const solve = ({ sitekey, action }) => new Promise((done, failed) => grecaptcha.ready(() => grecaptcha.execute(sitekey, { action }).then(done, failed)));
