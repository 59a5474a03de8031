"""The invented patients of the demo clinic, each at another stage. Days are counted from today."""

from __future__ import annotations

from dataclasses import dataclass

from portal.demo import PARENT, PATIENT, SECOND_PARENT, Login


@dataclass(frozen=True, slots=True)
class Part:
    """One patient's part: who they are, and how many days from today their surgery is."""

    name: str
    surgery_in: int
    age: int
    side: str = "left"
    uses_nicotine: bool = False
    drives: bool = True
    job: str = "desk"
    lives_alone: bool = False
    cares_for_others: bool = False
    uses_wheelchair: bool = False
    login: Login | None = None
    carers: tuple[Login, ...] = ()
    # Somebody who had access, until a month ago.
    former_carer: Login | None = None
    email: str | None = None
    moved_by: int = 0
    is_cancelled: bool = False
    # Added to the clinic's list, with no operation booked yet; `surgery_in` is when one might be.
    has_no_operation: bool = False
    closed_after: int | None = None
    died_after: int | None = None
    misses_xray: bool = False
    booked_before: int = 84

    @property
    def is_child(self) -> bool:
        """Whether this is a child, who goes the children's pathway."""
        return self.age < 18

    @property
    def given_name(self) -> str:
        """The first word of the name."""
        return self.name.split(" ", 1)[0]

    @property
    def family_name(self) -> str:
        """All words of the name but the first."""
        return self.name.split(" ", 1)[1]


def _carer(name: str) -> Login:
    return Login(f"{name.split(' ', maxsplit=1)[0].lower()}@families.example", name, "parent")


NAMED: tuple[Part, ...] = (
    Part(PATIENT.name, 35, 34, "left", uses_nicotine=True, job="on_feet", lives_alone=True, login=PATIENT),
    Part("Mila Okonjo-Lark", 15, 9, "right", drives=False, job="none", uses_wheelchair=True,
         carers=(PARENT, SECOND_PARENT)),
    Part("Theo Okonjo-Lark", -40, 7, "left", drives=False, job="none", carers=(PARENT,)),
)  # fmt: skip

ADULTS: tuple[Part, ...] = (
    Part("Juno Hartswell", 78, 29, "right", booked_before=80),
    Part("Marek Silverdale", 63, 41, uses_nicotine=True, job="heavy"),
    Part("Adaeze Fennimore", 56, 37, "right", cares_for_others=True),
    Part("Piet Oakhanger", 49, 44, drives=False, job="none"),
    Part("Solveig Brightmoor", 42, 31, uses_nicotine=True),
    Part("Yusuf Calderwick", 28, 39, "right", job="heavy"),
    Part("Greta Windlesham", 21, 52, uses_nicotine=True, booked_before=24),
    Part("Noor Applegarth", 14, 26, "right", lives_alone=True),
    Part("Callum Reedsmouth", 9, 35, is_cancelled=True),
    Part("Ines Marlowe-Quist", 7, 48, "right", job="on_feet"),
    Part("Hiroshi Pennywell", 3, 33, moved_by=14),
    Part("Odette Farringford", 1, 45, "right", uses_nicotine=True),
    Part("Bram Kestlewood", 0, 38),
    Part("Leila Stonehaven", -1, 30, "right"),
    Part("Dmitri Ravensworth", -2, 55, job="heavy"),
    Part("Fiadh Somerleigh", -5, 28, "right", lives_alone=True),
    Part("Tobias Elmsgrove", -9, 42, uses_nicotine=True),
    Part("Amara Whitlock-Sato", -14, 36, "right", cares_for_others=True),
    Part("Jorge Thistledown", -21, 47, job="on_feet"),
    Part("Signe Larkfield", -33, 32, "right", misses_xray=True),
    Part("Ravi Summerhayes", -47, 40, uses_nicotine=True),
    Part("Camille Northgate", -62, 50, "right", email=""),
    Part("Ewan Blackthorn", -80, 34, job="heavy"),
    Part("Zeynep Coldbrook", -100, 43, "right"),
    Part("Lars Meadowcroft", -150, 58, died_after=60),
    Part("Tamsin Fairholt", -190, 27, "right"),
)  # fmt: skip

CHILDREN: tuple[Part, ...] = (
    Part("Ayo Redfern", 70, 6, carers=(_carer("Folake Redfern"),)),
    Part("Elif Sandbourne", 30, 11, "right", carers=(_carer("Murat Sandbourne"),), uses_wheelchair=True),
    Part("Kit Havergate", 4, 8, carers=(_carer("Rowan Havergate"), _carer("Jamie Havergate"))),
    Part("Pilar Ashgrove", -4, 5, "right", carers=(_carer("Lucia Ashgrove"),)),
    Part("Emeka Longstaff", -18, 13, carers=(_carer("Ngozi Longstaff"),), uses_wheelchair=True,
         former_carer=_carer("Obinna Longstaff")),
    Part("Freya Millbrook", -95, 10, "right", carers=(_carer("Astrid Millbrook"),), misses_xray=True),
    Part("Otis Greenhalgh", -400, 12, carers=(_carer("Maeve Greenhalgh"),)),
)  # fmt: skip

# Whose treatment is over, and whose has not begun.
OTHERS: tuple[Part, ...] = (
    Part("Wren Aldersyde", -380, 39, closed_after=366),
    Part("Imre Holloway-Tan", 90, 33, has_no_operation=True),
)

SECOND_CLINIC: tuple[Part, ...] = (
    Part("Silke Dunmarrow", 20, 33, "right", uses_nicotine=True, booked_before=60),
    Part("Arjun Tidewell", -10, 46, booked_before=60),
)

CAST: tuple[Part, ...] = NAMED + ADULTS + CHILDREN + OTHERS
