"""What the two businesses sell, at prices a shelf could carry, and who buys it. All of it is made up."""

from collections.abc import Mapping
from random import Random
from unicodedata import normalize

from payment_kit.money import Money
from payment_kit.sandbox.scenario.actions import CreatePrice, CreateProduct, Draft

Goods = Mapping[str, tuple[str, str, Mapping[str, int]]]

# key -> title, description, price in minor units per currency (jpy has no decimals, kwd three of which the last is 0)
SHOP: Goods = {
    "espresso": ("Espresso beans 1 kg", "Dark roast, Brazil and India", {"usd": 2890, "eur": 2690, "jpy": 4200}),
    "filter": ("Filter coffee 500 g", "Light roast, Ethiopia", {"usd": 1950, "eur": 1790, "jpy": 2800}),
    "grinder": ("Hand grinder", "Steel burrs, 30 g", {"usd": 8900, "eur": 8400, "jpy": 12800}),
    "kettle": ("Gooseneck kettle", "0.9 l, stainless steel", {"usd": 6450, "eur": 5990, "jpy": 9400}),
    "dripper": ("Ceramic dripper", "For one or two cups", {"usd": 2400, "eur": 2250, "jpy": 3300}),
    "cups": ("Set of two cups", "Stoneware, 180 ml", {"usd": 3200, "eur": 2990, "jpy": 4600}),
    "scale": ("Coffee scale", "0.1 g, with timer", {"usd": 4500, "eur": 4190, "jpy": 6500}),
    "papers": ("Filter papers", "100 pieces", {"usd": 790, "eur": 720, "jpy": 980}),
}
SAAS: Goods = {
    "starter": ("Roastery Starter", "Stock and orders for one user", {"usd": 1900, "eur": 1800, "kwd": 5900}),
    "team": ("Roastery Team", "Up to ten users and the API", {"usd": 7900, "eur": 7500, "kwd": 24500}),
    "company": ("Roastery Company", "All users, all sites", {"usd": 29900, "eur": 27900, "kwd": 92750}),
}
SHOP_CURRENCIES = {"usd": 50.0, "eur": 35.0, "jpy": 15.0}
SAAS_CURRENCIES = {"usd": 45.0, "eur": 30.0, "kwd": 25.0}
GOOD_CARDS = {"pm_card_visa": 60.0, "pm_card_mastercard": 32.0, "pm_card_amex": 8.0}

FIRST = (
    "Aiko Amara Ana Anders Bilal Carla Chidi Dalia Elif Emeka Fatima Felix Grace Hana Hugo Ines Ivan Jonas Kenji "
    "Leila Lukas Maja Mateo Mei Nadia Noor Olga Omar Priya Rosa Salma Sofia Tariq Tomás Yara Yusuf Zoë"
).split()
LAST = (
    "Abbas Almeida Andersen Bauer Chen Costa Dubois Eze Ferrari García Haddad Hansen Ito Jansen Kaya Kim Kowalski "
    "Lindqvist Mensah Moreau Nakamura Novák Okafor Patel Petrov Rossi Sato Schmidt Silva Suzuki Tanaka Vega Weber"
).split()


def shelf(business: str, goods: Goods, at: int, *, monthly: bool) -> list[Draft]:
    """The steps that put `goods` and their prices into the catalogue from `at` on."""
    drafts = []
    for key, (title, description, prices) in goods.items():
        product = f"{business} product {key}"
        drafts.append(Draft(at, product, CreateProduct(title, description)))
        for number, (currency, minor) in enumerate(prices.items(), 1):
            price = CreatePrice(product, Money(minor, currency), monthly)
            drafts.append(Draft(at + 60 * number, f"{business} price {key} {currency}", price))
    return drafts


def person(random: Random, number: int) -> tuple[str, str]:
    """A name and an e-mail address that belongs to nobody (example.com)."""
    first, last = random.choice(FIRST), random.choice(LAST)
    address = normalize("NFKD", f"{first}.{last}.{number}".lower()).encode("ascii", "ignore").decode()
    return f"{first} {last}", f"{address}@example.com"


def card(random: Random) -> str:
    """A test card that pays."""
    return random.choices(list(GOOD_CARDS), weights=list(GOOD_CARDS.values()))[0]
