"""A real Chromium installs from the deployed stack."""

import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as until
from selenium.webdriver.support.wait import WebDriverWait

from person import ACME, ADA, ROADMAP
from tools import WORK, cannot_run, check


def install(install_url):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        cannot_run("chromium and chromedriver are not on the path, so the browser install was not tested")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
        try:
            browser.get(install_url)
            click(browser, f"#account-{ADA}-{ACME}")
            click(browser, "#continue")
            if present(browser, "#template-select"):
                click(browser, "#template-select")
            page = find(browser, f"#page-{ROADMAP}")
            if not page.is_selected():
                page.click()
            click(browser, "#allow")
            find(browser, "main.good")
            heading = browser.find_element(By.TAG_NAME, "h1").text
            check("connected to Notion" in heading, heading)
            check("code=" not in browser.current_url and "state=" not in browser.current_url, browser.current_url)
            browser.refresh()
            check(browser.find_element(By.TAG_NAME, "h1").text == heading, "a reload shows something else")
            browser.save_screenshot(str(WORK / "connected.png"))
            version = browser.capabilities["browserVersion"]
        finally:
            browser.quit()
    return f"Chromium {version}: connected, and again after a reload"


def present(browser, selector):
    return bool(browser.find_elements(By.CSS_SELECTOR, selector))


def find(browser, selector):
    return WebDriverWait(browser, 30).until(until.presence_of_element_located((By.CSS_SELECTOR, selector)))


def click(browser, selector):
    find(browser, selector).click()
