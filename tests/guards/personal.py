"""Which fields say something about a person, and which do not.

Personal is what identifies somebody or tells of their health, their doings or their messages, on
its own or through the row it belongs to. Keys, states of the machine and words of the catalogue
are not. What is personal stays out of logs, addresses, task arguments, Redis, subjects and error
reports, and is what an export of somebody's data holds.
"""

# model: (personal fields, other fields)
FIELDS: dict[str, tuple[str, str]] = {
    "portal.User": (
        "email name language time_zone mail_at paused_from paused_until last_login password is_active",
        "id created_at is_superuser is_staff groups user_permissions session_round",
    ),
    "portal.Clinic": (
        "on_call_email",
        (
            "id created_at name slug time_zone language phone_in_hours opening_hours phone_out_of_hours "
            "emergency_wording emergency_phone open_days opens_at closes_at sending_from sending_until daily_cap "
            "escalate_after_minutes is_demo"
        ),
    ),
    "portal.Location": ("", "id created_at clinic name address directions"),
    "portal.PractitionerRole": ("user role", "id created_at clinic"),
    "portal.AuditEvent": (
        "actor actor_label patient_id object_id before after reason address",
        "id recorded_at action verb clinic object_type",
    ),
    "portal.AuditLink": ("", "position event_id hash"),
    "portal.AuditHead": ("", "id position hash last_event_id sealed_at noted_at"),
    "portal.AuditCheck": (
        "asked_by",
        "id created_at reached reached_hash total faults finished_at",
    ),
    "portal.SignIn": ("user is_successful ways address browser", "id created_at"),
    "portal.SendingSwitch": ("changed_by", "id is_on reason changed_at"),
    "portal.Heartbeat": ("", "name beat_at"),
    "portal.Invitation": (
        "user invited_by token_hash accepted_at",
        "id created_at clinic expires_at withdrawn_at refused_at proofs_failed message_id",
    ),
    "portal.InvitationRequest": ("email code", "id created_at wish language"),
    "portal.OutboxMail": ("to_address subject raw", "id created_at"),
    "procedures.Source": (
        "",
        "id created_at loaded key title publisher jurisdiction audience scope quality_note",
    ),
    "procedures.Procedure": (
        "",
        (
            "id created_at loaded key reference name parent audience what_is_done aliases related code_system code "
            "is_bookable sources"
        ),
    ),
    "procedures.Fact": (
        "reviewed_by",
        (
            "id created_at loaded key topic statement offset_from offset_to unit anchor strength audience reviewed_on "
            "procedures sources"
        ),
    ),
    "procedures.Disagreement": ("", "id created_at loaded key topic question comment facts"),
    "procedures.DisagreementValue": ("", "id created_at disagreement position statement sources"),
    "procedures.Resolution": (
        "resolved_by",
        "id created_at disagreement clinic value own_value reason resolved_at is_demo_value",
    ),
    "procedures.Slot": ("", "id created_at loaded key name kind hint"),
    "procedures.SlotValue": (
        "filled_by",
        "id created_at slot clinic value is_demo_value filled_at",
    ),
    "procedures.Page": (
        "",
        "id created_at loaded key language procedure audience position title summary",
    ),
    "procedures.PageSection": (
        "",
        "id created_at page position key heading body facts disagreements slots",
    ),
    "procedures.ClinicWords": (
        "written_by",
        "id created_at page section_key clinic number kind heading body instead_of written_at",
    ),
    "procedures.Pathway": ("", "id created_at loaded key procedure name audience"),
    "procedures.PathwayVersion": (
        "approved_by",
        "id created_at pathway clinic number status digest approved_at review_on",
    ),
    "procedures.Step": (
        "",
        (
            "id created_at loaded version key position category anchor appointment_kind offset_value offset_unit "
            "offset_slot at repeat_every_days repeat_weekdays repeat_count repeat_until_anchor repeat_until_value "
            "repeat_until_unit condition ends_when recipients valid_for window_days late_policy repeat_policy "
            "is_essential facts disagreements slots"
        ),
    ),
    "procedures.StepText": ("", "id created_at step language subject title todo body"),
    "procedures.ConsentForm": (
        "published_by",
        "id created_at clinic key number audience words status published_at",
    ),
    "procedures.Questionnaire": (
        "",
        (
            "id created_at loaded key kind audience version anchor from_value from_unit until_value until_unit words "
            "scoring licence"
        ),
    ),
    "procedures.Question": (
        "",
        "id created_at questionnaire key position kind unit least most choices is_required is_licensed asked_if words",
    ),
    "procedures.RedFlagRule": (
        "",
        "id created_at questionnaire key position question comparison value severity sign words",
    ),
    "procedures.Exercise": ("", "id created_at loaded key audience phase position words"),
    "patients.Patient": (
        (
            "record_number given_name family_name birth_date user phone uses_nicotine drives job lives_alone "
            "cares_for_others uses_wheelchair deceased_on is_restricted merged_into"
        ),
        "id created_at clinic",
    ),
    "patients.PatientWord": ("patient word", "id"),
    "patients.ImportBatch": (
        "uploaded_by acted_by file_name",
        (
            "id created_at clinic read_as columns mapping date_order mixed_columns status total reached acted_at "
            "emptied_at"
        ),
    ),
    "patients.ImportRow": (
        "cells problems changes match patient episode before",
        "id batch number verdict choice follows state is_new_patient is_new_account",
    ),
    "patients.EmergencyAccess": (
        "user patient reason seen_by note",
        "id created_at clinic from_clinic ends_at seen_at",
    ),
    "patients.Merge": ("kept ended by reason moved", "id created_at clinic"),
    "patients.RelatedPerson": (
        "patient user relationship scope starts_on ends_on ended_at end_asked_at end_asked_by",
        "id created_at",
    ),
    "patients.AccessNotice": ("link recipient kind about_on sent_at", "id created_at tell_on"),
    "patients.Episode": ("patient procedure version side surgeon status", "id created_at"),
    "patients.AnchorDate": ("episode anchor on confirmed_by", "id created_at"),
    "patients.StepResponse": (
        "episode step occurrence answer note by answered_at reply replied_by replied_at",
        "id created_at",
    ),
    "patients.PlanRequest": ("episode", "id reason requested_at"),
    "patients.CheckIn": (
        "episode questionnaire answers flags by is_on_behalf sent_at local_date",
        "id created_at questionnaire_version ticket",
    ),
    "patients.Alert": (
        "patient episode check_in slip rule_key sign severity summary times acknowledged_by resolved_by note",
        "id created_at raised_at acknowledged_at resolved_at escalated_at",
    ),
    "patients.SmokeFreePlan": (
        "episode why triggers instead supporter spent_a_day changed_at",
        "id created_at currency",
    ),
    "patients.Slip": ("episode on what note by told_at withdrawn_at", "id created_at ticket"),
    "patients.Prescription": (
        "episode exercise sets repetitions times_a_day starts_on last_on note prescribed_by ended_at",
        "id created_at",
    ),
    "patients.ExerciseLog": (
        "prescription on round pain_before pain_after by logged_at",
        "id created_at",
    ),
    "patients.Appointment": (
        "episode kind local_date local_time starts_at location note status confirmed_at confirmed_by",
        "id created_at time_zone minutes sequence changed_at",
    ),
    "patients.MoveRequest": (
        "appointment reason wishes by asked_at asked_from status reply answered_at answered_by",
        "id created_at",
    ),
    "patients.CalendarFeed": (
        "user token_hash noted_on",
        "id created_at made_at digest changed_at",
    ),
    "patients.ConsentDecision": (
        "episode form decision title body signed_name note by is_on_behalf relationship decided_at",
        "id created_at language digest ticket",
    ),
    "patients.EmailChange": (
        "user old_email new_email old_token_hash new_token_hash confirmed_old_at confirmed_new_at stopped_at done_at",
        "id created_at expires_at",
    ),
    "patients.ImagingRequest": (
        (
            "episode step window_from window_until status appointment result_note resulted_at resulted_by "
            "released_at released_by"
        ),
        "id created_at",
    ),
    "patients.Task": (
        "patient owner facts settled_by note",
        (
            "id created_at kind subject clinic due_on is_pressing stamp status times opened_at settled_at is_gone"
        ),
    ),
    "patients.WorklistDay": ("", "id clinic kind day open"),
    "patients.Note": ("patient text by written_at", "id created_at"),
    "patients.Hold": (
        "episode step_key category reason by placed_at lifted_at lifted_by",
        "id created_at",
    ),
    "reminders.Reminder": (
        (
            "episode appointment step step_key recipient category context local_date local_time time_zone counted_from "
            "reason message"
        ),
        (
            "id created_at kind occurrence correction is_essential is_pinned due_at valid_until state attempts "
            "lease_until claimed_by settled_at"
        ),
    ),
    "reminders.Message": (
        "recipient category to_address subject own whole_text whole_html headers calendar last_response",
        "id created_at clinic message_id sheet state attempts sent_at bounced_at",
    ),
    "reminders.Sheet": ("", "id text html created_at"),
    "reminders.Decision": ("reminder gate value", "id decided_at outcome"),
    "reminders.PlanChange": ("episode news", "id created_at"),
    "reminders.Preference": ("user category is_on", "id created_at changed_at"),
    "reminders.Suppression": ("address reason response", "id created_at lifted_at"),
    "reminders.SendingChannel": (
        "response",
        "domain paused_until pauses reason changed_at next_at",
    ),
    "reminders.DeliveryReport": ("message detail", "id created_at kind status source digest"),
    "reminders.DailyBalance": (
        "",
        "id clinic day due sent skipped cancelled missed failed in_flight gap checked_at",
    ),
    "reminders.Counter": ("", "name value"),
}
