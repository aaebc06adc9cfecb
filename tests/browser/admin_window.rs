//! Owns what an administrator does in a browser window: open pages, click, fill in forms. Must not
//! know which pages there are.

use fantoccini::{Client, Locator};
use serde_json::json;

use crate::chrome::{CastingProgram, Driver, Look, click, click_at, element, text_of, wait_for};

/// What sends a form of fields.
pub const SEND: &str = "form.sheet .form-end button";

/// A window of this size and scheme that has signed in with this key.
pub async fn signed_in(driver: &Driver, casting: &CastingProgram, look: Look, key: &str) -> Client {
    let window = driver.window(look).await;
    window
        .goto(&format!("{}/admin/sign-in#{key}", casting.url()))
        .await
        .expect("opens");
    wait_for(&window, "h1", "Overview").await;
    window
}

/// The browser window of an administrator.
pub struct AdminWindow<'a> {
    pub window: &'a Client,
    pub url: &'a str,
}

impl AdminWindow<'_> {
    pub async fn open(&self, path: &str, words: &str) {
        self.window
            .goto(&format!("{}{path}", self.url))
            .await
            .expect("opens");
        wait_for(self.window, "h1", words).await;
    }

    pub async fn click(&self, selector: &str) {
        element(self.window, selector).await;
        // People scroll what stands under the bar with the buttons into sight before they click it.
        let script = "document.querySelector(arguments[0]).scrollIntoView({block: 'center', \
                      behavior: 'instant'})";
        self.window
            .execute(script, vec![json!(selector)])
            .await
            .expect(selector);
        click(self.window, selector).await;
    }

    /// Clicks and waits for the page that it leads to.
    pub async fn lead(&self, selector: &str, at: &str, words: &str) {
        self.click(selector).await;
        wait_for(self.window, at, words).await;
    }

    /// Follows the link, or presses the button, that says exactly this.
    pub async fn press(&self, words: &str) {
        let path = format!("//main//*[self::a or self::button or self::summary][text()='{words}']");
        click_at(self.window, Locator::XPath(&path), words).await;
    }

    pub async fn fill(&self, id: &str, typed: &str) {
        let field = element(self.window, id).await;
        field.clear().await.expect(id);
        field.send_keys(typed).await.expect(id);
    }

    /// Sets a moment; how one is typed depends on where the browser believes to be.
    pub async fn set(&self, id: &str, value: &str) {
        let script = "const [id, value] = arguments, field = document.querySelector(id); field.value = value; \
            field.dispatchEvent(new Event('input', {bubbles: true}));";
        self.window
            .execute(script, vec![json!(id), json!(value)])
            .await
            .expect(id);
    }

    pub async fn pick(&self, id: &str, label: &str) {
        element(self.window, id)
            .await
            .select_by_label(label)
            .await
            .expect(label);
    }

    /// The address that the cast's page gives out.
    pub async fn link(&self) -> String {
        text_of(self.window, ".address code").await
    }

    pub async fn id(&self) -> String {
        let url = self.window.current_url().await.expect("an address");
        url.path().rsplit('/').next().expect("an id").to_owned()
    }
}
